"""Training runs that are killed at random moments and resumed: they must end as one that never was."""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torture.outcome import TOO_LATE, Record, enough, left
from torture.processes import SIGKILL, Ended, Moment, Times, random_moment, read_times, shorten, write_times
from torture.tools import require
from torture.work import Work

AT_MOST = 5  # kills of one run


class Start(Protocol):
    """Starts a run in its folder, to its end or to a moment at which it gets signals; a run has begun with its step."""

    def __call__(
        self,
        words: Sequence[str],
        place: Path,
        moment: Moment | None = None,
        signals: Sequence[int] = SIGKILL,
        env: Mapping[str, str] | None = None,
    ) -> Ended: ...


@dataclass(frozen=True, slots=True)
class Training:
    """A kind of training run, with recipes that take turns.

    `ready` makes an empty folder and the command of a run there, the same for every start of it; `keeps` are the
    folders that make up what a run leaves, and `differ` says what two of them have unlike after so many kills.
    """

    name: str
    case: str
    recipes: tuple[str, ...]
    ready: Callable[[Work, str], tuple[list[str], Path]]
    start: Start
    keeps: tuple[str, ...]
    differ: Callable[[Path, Path, int], Iterable[str]]


def undisturbed(training: Training, work: Work, recipe: str) -> tuple[Path, Times]:
    """What a run leaves when nothing happens."""

    def make(folder: Path) -> None:
        words, place = training.ready(work, recipe)
        times = require(training.start(words, place), f"the undisturbed run of {training.name}, {recipe}").times
        for name in training.keeps:
            shutil.copytree(place / name, folder / name)
        write_times(folder, times)

    whole = work.once(f"whole-{training.case}-{recipe}", make)
    return whole, read_times(whole)


def next_run(training: Training, work: Work, records: Sequence[Record]) -> Record | None:
    """One run, killed a few times on its way."""
    wanted = work.kills_of(training.case)
    if enough(records, wanted):
        return None
    number = len(records)
    recipe = training.recipes[number % len(training.recipes)]
    whole, times = undisturbed(training, work, recipe)
    words, place = training.ready(work, recipe)
    rng = work.random(training.case, number)
    kills: list[str] = []
    failures: list[str] = []
    for _ in range(min(AT_MOST, left(records, wanted))):
        moment = random_moment(rng, times)
        ended = training.start(words, place, moment)
        failures += ended.wrong
        if ended.code is not None:
            break
        kills.append(f"{training.name}, {moment.words}")
    what = f"a run of {training.name}, {recipe}"
    if kills:
        what += f", killed {len(kills)} times ({'; '.join(kills)})"
    elif ended.code == 0:
        shorten(whole, ended.times.seconds)
    failures += finish(training, words, place, whole, len(kills))
    return Record(what, tuple(kills), failures=tuple(failures), skipped=None if kills or failures else TOO_LATE)


def finish(training: Training, words: Sequence[str], place: Path, whole: Path, kills: int = 0) -> list[str]:
    """Go on to the end; what is then not as it should be."""
    ended = training.start(words, place)
    if ended.wrong:
        return [f"the resume: {wrong}" for wrong in ended.wrong]
    return judged(training, place, whole, kills)


def judged(training: Training, place: Path, whole: Path, kills: int = 0) -> list[str]:
    """What a run that went to its end has not as it should be; a file that cannot be read is no end of the case."""
    try:
        return list(training.differ(place, whole, kills))
    except Exception as error:  # whatever lacks, it is what is looked for
        return [f"what it left cannot be compared: {type(error).__name__}: {error}"]
