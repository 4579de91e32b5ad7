"""Faults of training runs: refused in words, or gone on from an earlier checkpoint; the end is the undisturbed one."""

import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from torture import grpo, sft
from torture.disks import READ_ONLY, full
from torture.faults import FULL, NOT_WRITABLE, TRIES, both, interrupts, lost, put_back, small_disk, told_badly
from torture.killing import Training, finish, judged, undisturbed
from torture.outcome import Record
from torture.processes import ROOT, Ended, Moment
from torture.runs import METRICS, lines_of
from torture.tools import OUT
from torture.work import Work

HERE = ROOT / "tests" / "torture"
CLOCK, ALONE = HERE / "clock", HERE / "alone.py"
RECIPE = "stages"
DAY = 86_400.0
LATEST = "latest_checkpointed_iteration.txt"  # of verl: the step that it goes on from


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of run, and where its checkpoints lie.

    `damaged` is the step of one that has others before it; `files` of it are damaged, all if none is named. `told`
    says what is wrong with how a run ended: an error of verl's own comes with a traceback, ours does not.
    """

    training: Training
    root: str
    prefix: str
    damaged: int
    files: tuple[str, ...]
    needs: Callable[[Work], Path]  # the one of its inputs that gets lost
    told: Callable[..., Iterator[str]]
    alone: tuple[str, ...] = ()  # words before the command, for one that must not leave anything running

    def checkpoints(self, folder: Path) -> list[Path]:
        """The oldest first."""
        found = (folder / self.root).glob(f"{self.prefix}*")
        return sorted(found, key=lambda path: int(path.name.removeprefix(self.prefix)))

    def checkpoint(self, folder: Path) -> Path:
        return folder / self.root / f"{self.prefix}{self.damaged}"

    def names(self, whole: Path) -> list[str]:
        """The files of that checkpoint that are damaged."""
        checkpoint = self.checkpoint(whole)
        found = (path for pattern in self.files or ("**/*",) for path in checkpoint.glob(pattern))
        return sorted(str(path.relative_to(checkpoint)) for path in found if path.is_file())


def told_with_traceback(ended: Ended, code: int, *words: str) -> Iterator[str]:
    """The same of an error that comes through Ray: it must not end well, and say so somewhere."""
    yield from (f"still running after it: {orphan}" for orphan in ended.orphans)
    if (ended.code == 0) != (code == 0) or ended.code == -signal.SIGALRM:
        yield f"got exit code {ended.code}, expected {'another than 0' if code else 0}: {ended.last}"
    for word in words:
        if not re.search(word, ended.said):
            yield f"it says nothing of {word!r}: {ended.last}"


SFT = Subject(sft.TRAINING, OUT, "checkpoint-", 34, (), lambda work: sft.toy(work) / "train.jsonl", told_badly)
GRPO = Subject(
    grpo.TRAINING,
    grpo.CHECKPOINTS,
    "global_step_",
    6,
    ("curriculum.json*", "rewards.json", "data.pt", "actor/model_*.pt"),
    lambda work: grpo.data(work).with_name("hard_train.parquet"),
    told_with_traceback,
    (sys.executable, str(ALONE)),
)


def full_disk(subject: Subject, work: Work) -> Record:
    whole, _ = undisturbed(subject.training, work, RECIPE)
    checkpoint = sum(path.stat().st_size for path in subject.checkpoint(whole).rglob("*") if path.is_file())
    words = FULL if subject is SFT else "No space left on device|unexpected pos"  # the second is torch's way to say so
    return _disk(subject, work, "a full disk", full(int(2.5 * checkpoint)), words)


def read_only(subject: Subject, work: Work) -> Record:
    return _disk(subject, work, "a disk that cannot be written to", READ_ONLY, NOT_WRITABLE)


def _disk(subject: Subject, work: Work, kind: str, options: str, message: str) -> Record:
    whole, _ = undisturbed(subject.training, work, RECIPE)
    words, place = subject.training.ready(work, RECIPE)

    def judge(first: Ended, kept: Path) -> Iterator[str]:
        yield from subject.told(first, 1, message)
        yield from judged(subject.training, kept, whole)

    what = f"{subject.training.name} on {kind}"
    return small_disk(work, what, [*subject.alone, *words], place, options, judge)


def lost_input(subject: Subject, work: Work) -> Record:
    training, needed = subject.training, subject.needs(work)
    whole, _ = undisturbed(training, work, RECIPE)
    words, place = training.ready(work, RECIPE)
    with lost(needed):
        failures = list(subject.told(training.start(words, place), 1, re.escape(needed.name)))
    failures += finish(training, words, place, whole)
    return Record(f"{training.name} without {needed.name}", failures=tuple(failures))


def stopped(subject: Subject, work: Work, place: Path) -> Path:
    """A run as one has it that was killed right after the checkpoint of this step; returns that checkpoint."""
    whole, _ = undisturbed(subject.training, work, RECIPE)
    for name in subject.training.keeps:
        shutil.copytree(whole / name, place / name, symlinks=True)
    root = place / subject.root
    for path in subject.checkpoints(place):
        if int(path.name.removeprefix(subject.prefix)) > subject.damaged:
            shutil.rmtree(path)
    shutil.rmtree(root / "final", ignore_errors=True)
    (root / "evaluation.json").unlink(missing_ok=True)
    point_at(root, subject.damaged)
    lines = (whole / subject.root / METRICS).read_bytes().splitlines(keepends=True)
    of_step = (b'"kind":"step"', f'"step":{subject.damaged},'.encode())
    until = next(n for n, line in enumerate(lines) if all(part in line for part in of_step))
    (root / METRICS).write_bytes(b"".join(lines[: until + 1]))
    return subject.checkpoint(place)


def point_at(root: Path, step: int) -> None:
    """Where verl is told what to go on from, say so."""
    if (root / LATEST).exists():
        (root / LATEST).write_text(str(step))


def lost_file(subject: Subject, work: Work, name: str) -> Record:
    return _damaged(subject, work, f"without {name}", name, lambda path: path.unlink())


def cut_file(subject: Subject, work: Work, name: str) -> Record:
    def cut(path: Path) -> None:
        os.truncate(path, work.random("cut", name).randrange(path.stat().st_size))

    return _damaged(subject, work, f"with {name} cut off", name, cut)


def _damaged(subject: Subject, work: Work, how: str, name: str, damage: Callable[[Path], object]) -> Record:
    training = subject.training
    what = f"a checkpoint of {training.name} {how}"
    whole, _ = undisturbed(training, work, RECIPE)
    words, place = training.ready(work, RECIPE)
    checkpoint = stopped(subject, work, place)
    damage(checkpoint / name)
    ended = training.start(words, place)
    if ended.code == 0:
        return Record(what, failures=(*ended.wrong, *judged(training, place, whole)))
    ours = subject is SFT or name.startswith(("curriculum.json", "rewards.json"))
    failures = list(subject.told(ended, 1, *([checkpoint.name] if ours else [])))
    shutil.rmtree(checkpoint)
    point_at(checkpoint.parent, int(subject.checkpoints(place)[-1].name.removeprefix(subject.prefix)))
    return Record(what, failures=(*failures, *finish(training, words, place, whole)))


def cut_metrics(subject: Subject, work: Work) -> Record:
    """The torn line is lost, and nothing else is."""
    training = subject.training
    whole, _ = undisturbed(training, work, RECIPE)
    words, place = training.ready(work, RECIPE)
    path = stopped(subject, work, place).with_name(METRICS)
    last = path.read_bytes().splitlines(keepends=True)[-1]
    os.truncate(path, path.stat().st_size - work.random("metrics").randrange(1, len(last)))
    lost = f"{METRICS} says nothing of step {subject.damaged}"
    failures = [text for text in finish(training, words, place, whole) if text != lost]
    return Record(f"{training.name} with its metrics file cut off in a line", failures=tuple(failures))


def clock_jumps(subject: Subject, work: Work) -> Record:
    """Killed and resumed besides."""
    training = subject.training
    whole, times = undisturbed(training, work, RECIPE)
    words, place = training.ready(work, RECIPE)
    env = {"PYTHONPATH": f"{CLOCK}{os.pathsep}{ROOT}"}
    moment = Moment(0.5 * (times.seconds - times.begun), begun=True)
    first = training.start(words, place, moment, env=env)
    kills = (f"{training.name}, {moment.words}",) if first.code is None else ()
    second = training.start(words, place, env=env)
    failures = [*first.wrong, *second.wrong]
    if not failures:
        failures += judged(training, place, whole, len(kills))
        told = [line["time"] for line in lines_of(place / subject.root / METRICS)]
        if not any(later < before - DAY / 2 for before, later in pairwise(told)):
            failures.append("the clock did not jump")
    return Record(f"{training.name} while the clock jumps by a day", kills, failures=tuple(failures))


def two_processes(subject: Subject, work: Work) -> Record:
    training = subject.training
    whole, _ = undisturbed(training, work, RECIPE)
    words, place = training.ready(work, RECIPE)
    command = [*subject.alone, *words]
    place, found = both(command, lambda: training.ready(work, RECIPE)[1], "another run trains there", subject.told)
    return Record(f"{training.name}, two processes on one folder", failures=(*found, *judged(training, place, whole)))


def interrupted(subject: Subject, work: Work, times: int) -> Record:
    training = subject.training
    what = f"{training.name}, Ctrl-C {'once' if times == 1 else 'twice'}"
    rng = work.random(what)
    for _ in range(TRIES):
        whole, took = undisturbed(training, work, RECIPE)
        words, place = training.ready(work, RECIPE)
        moment = Moment(rng.uniform(0, 0.7) * (took.seconds - took.begun), begun=True)
        ended = training.start(words, place, moment, interrupts(times))
        if ended.code != 0:
            break
    through = (place / subject.root / "evaluation.json").exists()  # the last that fine-tuning writes: it had to leave
    said = [] if ended.code == 0 or through or subject is not SFT else ["interrupted"]
    failures = [*(subject.told(ended, 130, *said) if ended.code else ended.wrong)]
    failures += finish(training, words, place, whole, 1)
    skipped = "it had ended before the signal" if ended.code == 0 and not failures else None
    return Record(f"{what}, {moment.words}", failures=tuple(failures), skipped=skipped)


def _faults(subject: Subject, work: Work) -> Iterator[Callable[[], Record]]:
    for fault in (full_disk, read_only, lost_input, cut_metrics, clock_jumps, two_processes):
        yield lambda fault=fault: fault(subject, work)
    for times in (1, 2):
        yield lambda times=times: interrupted(subject, work, times)
    whole, _ = undisturbed(subject.training, work, RECIPE)
    for name in subject.names(whole):
        yield lambda name=name: lost_file(subject, work, name)
        yield lambda name=name: cut_file(subject, work, name)


def next_fault(subject: Subject, work: Work, records: Sequence[Record]) -> Record | None:
    put_back(subject.needs(work).parent)
    faults = list(_faults(subject, work))
    return faults[len(records)]() if len(records) < len(faults) else None
