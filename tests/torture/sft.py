"""Fine-tuning, killed at random moments and resumed: weights, decisions and metrics are those of one that never was."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from sft.toy_sft import weights, write_toy
from torture.outcome import Record, killed
from torture.processes import ROOT, Times, random_moment, read_times, run, shorten, write_times
from torture.runs import METRICS, metrics_differ, states_differ, tensors_differ
from torture.tools import OUT, require
from torture.work import SFT, Work

RECIPE = ROOT / "tests" / "torture" / "sft.yaml"
AT_MOST = 5  # kills of one run
TOO_LATE = "it had ended before its kill"


def inputs_of(work: Work) -> Path:
    return work.once("toy-sft", write_toy)


def words(work: Work, *more: str) -> list[str]:
    """The command: the same for the first start and for every one after it."""
    toy = inputs_of(work)
    given = [f"model.path={toy / 'model'}", f"data.train={toy / 'train.jsonl'}"]
    start = [sys.executable, "-m", "curriculum_verl.train", "--mode", "sft", "--config", str(RECIPE), "--resume"]
    return [*start, *given, f"data.validation={toy / 'validation.jsonl'}", *more]


def undisturbed(work: Work) -> tuple[Path, Times]:
    """What the run leaves when nothing happens."""

    def make(folder: Path) -> None:
        place = work.fresh("place")
        times = require(run(words(work), place), "the undisturbed run").times
        shutil.copytree(place / OUT, folder / OUT)
        write_times(folder, times)

    whole = work.once("whole-sft", make)
    return whole / OUT, read_times(whole)


def next_run(work: Work, records: Sequence[Record]) -> Record | None:
    """One run, killed a few times on its way."""
    left = work.kills_of(SFT) - killed(records)
    if left <= 0:
        return None
    whole, times = undisturbed(work)
    place, rng = work.fresh("place"), work.random(SFT, len(records))
    kills: list[str] = []
    for _ in range(min(AT_MOST, left)):
        moment = random_moment(rng, times)
        ended = run(words(work), place, moment=moment)
        if ended.code is not None:
            break
        kills.append(f"SFT, {moment.words}")
    what = f"a run of SFT, killed {len(kills)} times ({'; '.join(kills)})" if kills else "a run of SFT"
    if not kills:
        shorten(whole.parent, ended.times.seconds)
    failures = tuple(finish(work, place, whole))
    return Record(what, tuple(kills), failures=failures, skipped=None if kills or failures else TOO_LATE)


def finish(work: Work, place: Path, whole: Path) -> list[str]:
    """Go on to the end; what is then not as it should be."""
    ended = run(words(work), place)
    if ended.code != 0:
        return [f"the resume ended with exit code {ended.code}: {ended.last}"]
    return list(differ(place / OUT, whole))


def differ(made: Path, whole: Path) -> Iterator[str]:
    """Two runs that went to the end."""
    yield from tensors_differ(weights(made / "final"), weights(whole / "final"))
    yield from metrics_differ(made / METRICS, whole / METRICS, lost=0)
    last = max(whole.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2])).name
    yield from states_differ(
        made / last / METRICS.replace("jsonl", "json"), whole / last / METRICS.replace("jsonl", "json")
    )
    names = [sorted(path.name for path in run.glob("checkpoint-*")) for run in (made, whole)]
    if names[0] != names[1]:
        yield f"checkpoints {', '.join(names[0])}, undisturbed {', '.join(names[1])}"
