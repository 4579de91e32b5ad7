"""Fine-tuning, to be killed and resumed: weights, decisions and metrics are those of a run that never was."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sft.toy_sft import weights, write_toy
from torture.killing import Training
from torture.processes import ROOT, SIGKILL, Ended, Moment, run
from torture.runs import METRICS, STATE, metrics_differ, states_differ, tells_of_a_step, tensors_differ
from torture.tools import OUT
from torture.work import SFT, Work

RECIPES = ROOT / "tests" / "torture" / "recipes"


def toy(work: Work) -> Path:
    """Where its model and its data lie."""
    return work.once("toy-sft", write_toy)


def ready(work: Work, recipe: str) -> tuple[list[str], Path]:
    """An empty folder, and the command."""
    given = {"model.path": "model", "data.train": "train.jsonl", "data.validation": "validation.jsonl"}
    start = [sys.executable, "-m", "curriculum_verl.train", "--mode", "sft", "--resume"]
    start += ["--config", str(RECIPES / f"sft_{recipe}.yaml")]
    return [*start, *(f"{key}={toy(work) / name}" for key, name in given.items())], work.fresh("place")


def start(
    words: Sequence[str],
    place: Path,
    moment: Moment | None = None,
    signals: Sequence[int] = SIGKILL,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """It has begun when it tells of a step."""
    begun = tells_of_a_step(place / OUT / METRICS)
    return run(words, place, moment=moment, signals=signals, env=env, begun=begun)


def differ(place: Path, whole: Path, kills: int) -> Iterator[str]:
    """Of two runs that went to the end, whatever happened on the way."""
    made, whole = place / OUT, whole / OUT
    yield from tensors_differ(weights(made / "final"), weights(whole / "final"))
    yield from metrics_differ(made / METRICS, whole / METRICS)
    names = [sorted(path.name for path in folder.glob("checkpoint-*")) for folder in (made, whole)]
    if names[0] != names[1]:
        yield f"checkpoints {', '.join(names[0])}, undisturbed {', '.join(names[1])}"
        return
    for name in names[1]:
        found = [
            *tensors_differ(weights(made / name), weights(whole / name)),
            *states_differ(made / name / STATE, whole / name / STATE),
        ]
        yield from (f"{name}: {difference}" for difference in found)


TRAINING = Training("SFT", SFT, ("stages", "adaptive"), ready, start, (OUT,), differ)
