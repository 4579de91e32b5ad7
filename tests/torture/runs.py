"""What training runs leave, and whether it is what the undisturbed run left: weights, decisions, metrics."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from curriculum_verl.curriculum.state import read_state

METRICS, STATE = "curriculum.jsonl", "curriculum.json"
# What a clock decides, and what other load does.
CLOCK = ("timing_", "perf/", "actor/perf/", "curriculum/overhead_s", "eval/runtime", "eval/samples_", "eval/steps_")
SHOWN = 4


def tells_of_a_step(metrics: Path) -> Callable[[], bool]:
    """Whether a step has been told of since now."""
    before = metrics.stat().st_size if metrics.exists() else 0
    return lambda: metrics.exists() and b'"kind":"step"' in metrics.read_bytes()[before:]


def lines_of(metrics: Path) -> list[dict[str, Any]]:
    """What a metrics file says of the run: of a resumed one, what was done again counts once."""
    told: list[dict[str, Any]] = []
    for text in metrics.read_bytes().splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # torn by a kill; a reader skips it, too
            continue
        if line["kind"] == "start":
            told = [before for before in told if before["step"] <= line["step"] and before["kind"] != "end"]
        else:
            told.append(line)
    return told


def metrics_differ(made: Path, whole: Path, lost: int = 0, only: tuple[str, ...] = ("",)) -> Iterator[str]:
    """Line by line, of metrics whose names begin so; `lost` is how many lines may be missing.

    A kill between a checkpoint of verl and the line of its step takes that line with it, and one between a line and
    its checkpoint has it told again, in the same words.
    """
    ours, theirs = ({_timeless(line, only) for line in lines_of(path)} for path in (made, whole))
    more, missing = {_name(text): text for text in ours - theirs}, {_name(text): text for text in theirs - ours}
    for name in sorted(more.keys() & missing.keys())[:SHOWN]:
        mine, line = json.loads(more[name]), json.loads(missing[name])
        unlike = sorted(key for key in mine.keys() | line.keys() if mine.get(key) != line.get(key))
        yield f"{made.name} says other things of {name}: {', '.join(unlike[:SHOWN])}"
    lacking, odd = missing.keys() - more.keys(), more.keys() - missing.keys()
    if len(lacking) > lost:
        yield f"{made.name} says nothing of {', '.join(sorted(lacking)[:SHOWN])}"
    if odd:
        yield f"{made.name} tells of {', '.join(sorted(odd)[:SHOWN])}, which the undisturbed run does not"


def _timeless(line: dict[str, Any], only: tuple[str, ...]) -> str:
    """A line with its metrics beside what else it says, without what a clock has decided."""
    metrics = {
        name: value
        for name, value in line.get("metrics", {}).items()
        if name.startswith(only) and not name.startswith(CLOCK)
    }
    return json.dumps({key: line[key] for key in line if key not in ("time", "metrics")} | metrics, sort_keys=True)


def _name(text: str) -> str:
    line = json.loads(text)
    return f"{line['kind']} {line['step']}"


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
