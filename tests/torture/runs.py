"""What training runs leave, and whether it is what the undisturbed run left: weights, decisions, metrics."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curriculum_verl.curriculum.state import read_state

METRICS = "curriculum.jsonl"
# In names of what a clock or other load decides.
CLOCK = ("timing", "overhead", "second", "runtime", "throughput", "perf/", "mfu", "memory")


def lines_of(metrics: Path) -> list[dict[str, Any]]:
    """What a metrics file says of the run: of a resumed one, what was done again counts once."""
    told: list[dict[str, Any]] = []
    for text in metrics.read_bytes().splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # torn by a kill; a reader skips it, too
            continue
        if line["kind"] == "start":
            told = [before for before in told if before["step"] <= line["step"]]
        else:
            told.append(line)
    return told


def decisions(metrics: Path) -> list[tuple[int, str, str]]:
    """Every switch of stage, once."""
    switches = [line for line in lines_of(metrics) if line["kind"] in ("advance", "rollback")]
    return list(dict.fromkeys((line["step"], line["kind"], line["target"]) for line in switches))


def metrics_differ(made: Path, whole: Path, lost: int, only: tuple[str, ...] = ("",)) -> Iterator[str]:
    """Of metrics whose names begin so; `lost` is how many steps may be missing.

    A kill between a checkpoint of verl and the line of its step takes that line with it.
    """
    for kind in ("step", "validation"):
        ours, theirs = (
            {line["step"]: line for line in lines_of(path) if line["kind"] == kind} for path in (made, whole)
        )
        missing = sorted(theirs.keys() - ours.keys())
        if len(missing) > lost:
            yield f"{made.name} tells nothing of {kind} {missing[:8]}"
        for step in sorted(ours.keys() & theirs.keys()):
            names = [name for name in theirs[step]["metrics"] if name.startswith(only) and not _of_clock(name)]
            others = [name for name in names if ours[step]["metrics"].get(name) != theirs[step]["metrics"][name]]
            if others or ours[step].get("stage") != theirs[step].get("stage"):
                yield f"{made.name} says other things of {kind} {step}: {', '.join(others[:4])}"
    if decisions(made) != decisions(whole):
        yield f"stages were switched at {decisions(made)}, undisturbed at {decisions(whole)}"


def _of_clock(name: str) -> bool:
    return any(part in name for part in CLOCK)


def states_differ(made: Path, whole: Path) -> Iterator[str]:
    """Of the curriculum's state: draws, positions in the data, transitions, what the policy learned."""
    ours, theirs = _plain(read_state(made)), _plain(read_state(whole))
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            yield f"the last checkpoint's curriculum has another {name}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def tensors_differ(made: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    """To the bit."""
    import torch

    others = sorted(made.keys() ^ whole.keys())
    if others:
        yield f"other weights: {', '.join(others[:4])}"
    unequal = [name for name in made.keys() & whole.keys() if not torch.equal(made[name], whole[name])]
    if unequal:
        yield f"{len(unequal)} of {len(whole)} final weights differ, {sorted(unequal)[0]} among them"
