"""Faults of the data tools: each is told of in words, and after the mend the same command leaves the whole result."""

import re
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torture import cut
from torture.comparing import differences
from torture.disks import NONE, READ_ONLY, full, mounting, on_disk
from torture.outcome import Record
from torture.processes import LONGEST, Ended, Moment, orphans, run, shorten, started, wait_until_begun, writes
from torture.tools import OUT, TOOLS, Tool, inputs_of, is_taken, rerun, undisturbed, wrongly_taken
from torture.work import Work

LOST = ".lost"
TRIES = 3  # to come before a run has ended
FULL, NOT_WRITABLE = "the disk is full", "cannot be written to|may not"  # what is said of a disk
ERROR = re.compile(r"^curriculum[-_]verl[^\n:]*: ", re.MULTILINE)  # what a command says begins with its name


def told_badly(ended: Ended, code: int, *words: str) -> Iterator[str]:
    """What is wrong with how a command ended: its code, a traceback, orphans, or words that its message lacks."""
    yield from (f"still running after it: {orphan}" for orphan in ended.orphans)
    if (130 if ended.code == -signal.SIGINT else ended.code) != code:  # as a shell tells it
        yield f"got exit code {ended.code}, expected {code}: {ended.last}"
    if "Traceback (most recent call last)" in ended.said:
        yield f"a traceback: {ended.last}"
    for word in words:
        if not re.search(word, message_of(ended.said)):
            yield f"the message says nothing of {word!r}: {ended.last}"


def message_of(said: str) -> str:
    """The error, without what was told before it; all of it where there is none."""
    found = list(ERROR.finditer(said))
    return said[found[-1].start() :] if found else said


def full_disk(work: Work, tool: Tool) -> Record:
    whole, _ = undisturbed(work, tool)
    size = sum(path.stat().st_size for path in (whole / "plain").rglob("*") if path.is_file())
    return _disk(work, tool, "a full disk", full(size // 3), FULL)


def read_only(work: Work, tool: Tool) -> Record:
    return _disk(work, tool, "a disk that cannot be written to", READ_ONLY, NOT_WRITABLE)


def _disk(work: Work, tool: Tool, kind: str, options: str, message: str) -> Record:
    whole, _ = undisturbed(work, tool)

    def judge(first: Ended, kept: Path) -> Iterator[str]:
        yield from told_badly(first, 1, message)
        yield from differences(kept / OUT, whole / "plain")

    words = tool.words(inputs_of(work))
    return small_disk(work, f"{tool.name} on {kind}", words, work.fresh("place"), options, judge)


def small_disk(
    work: Work,
    what: str,
    words: Sequence[str],
    place: Path,
    options: str,
    judge: Callable[[Ended, Path], Iterable[str]],
) -> Record:
    """A command on such a disk, and again with room; `judge` says what is wrong with the first end and what is left."""
    space = mounting(work.folder)
    if space is None:
        return Record(what, skipped=NONE)
    first, second, kept = on_disk(words, place, options, space)
    wrong = [f"with room again: {words}" for words in second.wrong]
    return Record(what, failures=tuple(wrong or judge(first, kept)))


@contextmanager
def lost(path: Path) -> Iterator[None]:
    """Out of the way; a run that was killed meanwhile is mended by put_back."""
    aside = path.with_name(path.name + LOST)
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


def put_back(folder: Path) -> None:
    for path in folder.rglob(f"*{LOST}"):
        path.rename(path.with_name(path.name.removesuffix(LOST)))


def lost_input(work: Work, tool: Tool) -> Record:
    whole, _ = undisturbed(work, tool)
    inputs, place = inputs_of(work), _place(work)
    with lost(inputs / tool.needs):
        first = run(tool.words(inputs), place)
    name = tool.needs.partition("/")[0]
    failures = [*told_badly(first, 1, re.escape(name)), *_nothing_taken(tool, place)]
    return Record(f"{tool.name} without {tool.needs}", failures=(*failures, *rerun(work, tool, place, whole)))


def two_processes(work: Work, tool: Tool) -> Record:
    """The second comes while the first stands still in its work: one of them wins, the other is refused."""
    whole, _ = undisturbed(work, tool)
    place, found = both(tool.words(inputs_of(work)), lambda: _place(work), "another|holds")
    found += differences(place / OUT, whole / "plain")
    return Record(f"{tool.name}, two processes on one folder", failures=tuple(found))


def both(
    words: Sequence[str], fresh: Callable[[], Path], refusal: str, told: Callable[..., Iterator[str]] = told_badly
) -> tuple[Path, list[str]]:
    """Where two processes have worked in one folder, and what is wrong with how they ended."""
    for _ in range(TRIES):
        place = fresh()
        log = place.with_name("first.log")
        log.unlink(missing_ok=True)
        with started(words, place, log) as process:
            wait_until_begun(process, writes(place))
            process.send_signal(signal.SIGSTOP)
            if process.poll() is not None:
                continue
            second = run(words, place)
            process.send_signal(signal.SIGCONT)
            code = process.wait(LONGEST)
            left = orphans(process)
        first = Ended(code, log.read_text(errors="replace"), second.times, left)
        if first.code == second.code == 0:  # the first had only to leave when it stood still, or both have worked
            continue
        winner, loser = (first, second) if second.code else (second, first)
        return place, [*told(winner, 0), *told(loser, 1, refusal)]
    return place, [f"neither was refused, {TRIES} times"]


def interrupts(times: int) -> tuple[int, ...]:
    return (signal.SIGINT,) * times


def interrupted(work: Work, tool: Tool, times: int) -> Record:
    """Ctrl-C while it works."""
    what = f"{tool.name}, Ctrl-C {'once' if times == 1 else 'twice'}"
    rng = work.random(what)
    for _ in range(TRIES):
        whole, took = undisturbed(work, tool)
        place, moment = _place(work), Moment(rng.uniform(0, 0.7) * (took.seconds - took.begun), begun=True)
        ended = run(tool.words(inputs_of(work)), place, moment=moment, signals=interrupts(times))
        if ended.code != 0:
            break
        shorten(whole, ended.times.seconds)
    whole_already = is_taken(tool, place / OUT)  # it had nothing left to do but to leave
    failures = [] if ended.code == 0 else [*told_badly(ended, 130, *([] if whole_already else ["interrupted"]))]
    failures += [*wrongly_taken(tool, place, whole), *rerun(work, tool, place, whole)]
    skipped = "it had ended before the signal" if ended.code == 0 and not failures else None
    return Record(f"{what}, {moment.words}", failures=tuple(failures), skipped=skipped)


def _place(work: Work) -> Path:
    place = work.fresh("place")
    place.joinpath(OUT).mkdir()
    return place


def _nothing_taken(tool: Tool, place: Path) -> list[str]:
    return ["it left what the next step would take for a result"] if is_taken(tool, place / OUT) else []


def _of_tools() -> Iterator[Callable[[Work], Record]]:
    faults = (
        full_disk,
        read_only,
        lost_input,
        two_processes,
        lambda work, tool: interrupted(work, tool, 1),
        lambda work, tool: interrupted(work, tool, 2),
    )
    for tool in TOOLS:
        for fault in faults:
            yield lambda work, tool=tool, fault=fault: fault(work, tool)


FAULTS = (*_of_tools(), *cut.FAULTS)


def next_fault(work: Work, records: Sequence[Record]) -> Record | None:
    put_back(inputs_of(work))
    if len(records) == len(FAULTS):
        return None
    shutil.rmtree(work.folder / "place.kept", ignore_errors=True)
    return FAULTS[len(records)](work)
