"""Faults of a training run: refused in words, or gone on from an earlier checkpoint; the end is the undisturbed one."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from torture.disks import NONE, READ_ONLY, full, mounting, on_disk
from torture.faults import both, told_badly
from torture.outcome import Record
from torture.processes import ROOT, Moment, random_moment, run
from torture.runs import METRICS
from torture.sft import differ, finish, undisturbed, words
from torture.tools import OUT
from torture.work import Work

CLOCK = ROOT / "tests" / "torture" / "clock"
DAMAGED = 34  # the step of the checkpoint that is damaged: there are earlier ones
FILES = (
    "curriculum.json",
    "trainer_state.json",
    "sft.json",
    "model.safetensors",
    "optimizer.pt",
    "scheduler.pt",
    "rng_state.pth",
    "config.json",
    "training_args.bin",
)


def full_disk(work: Work) -> Record:
    whole, _ = undisturbed(work)
    checkpoint = sum(path.stat().st_size for path in (whole / f"checkpoint-{DAMAGED}").rglob("*") if path.is_file())
    return _disk(work, "SFT on a full disk", full(int(2.5 * checkpoint)), "the disk is full")


def read_only(work: Work) -> Record:
    return _disk(work, "SFT on a disk that cannot be written to", READ_ONLY, "cannot be written to|may not")


def _disk(work: Work, what: str, options: str, message: str) -> Record:
    space = mounting(work.folder)
    if space is None:
        return Record(what, skipped=NONE)
    whole, _ = undisturbed(work)
    first, second, kept = on_disk(words(work), work.fresh("place"), options, space)
    failures = list(told_badly(first, 1, message))
    if second.code != 0:
        failures.append(f"with room again: exit code {second.code}: {second.last}")
    else:
        failures += differ(kept / OUT, whole)
    return Record(what, failures=tuple(failures))


def stopped(work: Work, place: Path) -> Path:
    """A run as one has it that was killed right after the checkpoint of this step; returns that checkpoint."""
    whole, _ = undisturbed(work)
    shutil.copytree(whole, place / OUT, symlinks=True)
    for path in (place / OUT).iterdir():
        number = path.name.rpartition("-")[2]
        later = path.name.startswith("checkpoint-") and int(number) > DAMAGED
        if later or path.name == "final":
            shutil.rmtree(path)
    lines = (whole / METRICS).read_bytes().splitlines(keepends=True)
    until = next(
        n for n, line in enumerate(lines) if b'"kind":"step"' in line and f'"step":{DAMAGED},'.encode() in line
    )
    (place / OUT / METRICS).write_bytes(b"".join(lines[: until + 1]))
    for name in ("evaluation.json",):
        (place / OUT / name).unlink(missing_ok=True)
    return place / OUT / f"checkpoint-{DAMAGED}"


def lost_file(work: Work, name: str) -> Record:
    return _damaged(work, f"a checkpoint of SFT without {name}", name, lambda path: path.unlink())


def cut_file(work: Work, name: str) -> Record:
    def cut(path: Path) -> None:
        os.truncate(path, work.random("cut", name).randrange(path.stat().st_size))

    return _damaged(work, f"a checkpoint of SFT with {name} cut off", name, cut)


def _damaged(work: Work, what: str, name: str, damage: Callable[[Path], object]) -> Record:
    whole, _ = undisturbed(work)
    place = work.fresh("place")
    checkpoint = stopped(work, place)
    path = next((checkpoint / found for found in (name, f"adapter_{name}") if (checkpoint / found).exists()), None)
    if path is None:
        return Record(what, skipped="a checkpoint has no such file")
    damage(path)
    ended = run(words(work), place)
    if ended.code == 0:
        return Record(what, failures=tuple(differ(place / OUT, whole)))
    failures = list(told_badly(ended, 1, checkpoint.name))
    shutil.rmtree(checkpoint)
    return Record(what, failures=(*failures, *finish(work, place, whole)))


def cut_metrics(work: Work) -> Record:
    whole, _ = undisturbed(work)
    place = work.fresh("place")
    path = stopped(work, place).with_name(METRICS)
    last = path.read_bytes().splitlines(keepends=True)[-1]
    os.truncate(path, path.stat().st_size - work.random("metrics").randrange(1, len(last)))
    failures = [text for text in finish(work, place, whole) if f"nothing of step [{DAMAGED}]" not in text]
    return Record("SFT with its metrics file cut off in a line", failures=tuple(failures))


def clock_jumps(work: Work) -> Record:
    """Killed and resumed besides."""
    whole, times = undisturbed(work)
    place, env = work.fresh("place"), {"PYTHONPATH": f"{CLOCK}{os.pathsep}{ROOT}"}
    moment = Moment(0.5 * (times.seconds - times.begun), begun=True)
    kills = () if run(words(work), place, moment=moment, env=env).code is not None else (f"SFT, {moment.words}",)
    ended = run(words(work), place, env=env)
    failures = [*told_badly(ended, 0)]
    failures += differ(place / OUT, whole) if ended.code == 0 else []
    return Record("SFT while the clock jumps by a day", kills, failures=tuple(failures))


def two_processes(work: Work) -> Record:
    whole, _ = undisturbed(work)
    place, failures = both(words(work), lambda: work.fresh("place"), "another run trains there")
    return Record("SFT, two processes on one folder", failures=(*failures, *differ(place / OUT, whole)))


def interrupted(work: Work, times: int) -> Record:
    what = f"SFT, Ctrl-C {'once' if times == 1 else 'twice'}"
    whole, took = undisturbed(work)
    place = work.fresh("place")
    moment = random_moment(work.random(what), took)
    moment = Moment(0.7 * min(moment.after, took.seconds - took.begun), begun=True)
    ended = run(words(work), place, moment=moment, signals=[signal.SIGINT] * times)
    through = (place / OUT / "evaluation.json").exists()  # the last that it writes: it had only to leave
    failures = [*told_badly(ended, 130, *([] if through else ["interrupted"])), *finish(work, place, whole)]
    if ended.code == 0 and through:
        return Record(what, skipped="it had ended before the signal")
    return Record(f"{what}, {moment.words}", failures=tuple(failures))


def _faults() -> Iterator[Callable[[Work], Record]]:
    yield from (full_disk, read_only, cut_metrics, clock_jumps, two_processes)
    yield from (lambda work, times=times: interrupted(work, times) for times in (1, 2))
    for name in FILES:
        yield lambda work, name=name: lost_file(work, name)
        yield lambda work, name=name: cut_file(work, name)


FAULTS = tuple(_faults())


def next_fault(work: Work, records: Sequence[Record]) -> Record | None:
    return FAULTS[len(records)](work) if len(records) < len(FAULTS) else None
