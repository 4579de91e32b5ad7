"""Processes that are tortured: each in a group of its own, of which none outlives the block."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 1800.0  # seconds; what takes longer hangs
LOOK_EVERY = 0.002
PATIENCE = 30.0  # seconds that what a process has started has to end after it
SAID = 15  # last lines of what it said
TIMES = "times.json"
SIGKILL = (signal.SIGKILL,)
COMMAND = (sys.executable, "-m", "curriculum_verl.cli")


@dataclass(frozen=True, slots=True)
class Times:
    """Of a run: all of it, and how long it took until something first stood in its folder."""

    seconds: float
    begun: float


def write_times(folder: Path, times: Times) -> None:
    (folder / TIMES).write_text(json.dumps([times.seconds, times.begun]))


def read_times(folder: Path) -> Times:
    return Times(*json.loads((folder / TIMES).read_text()))


def shorten(folder: Path, seconds: float) -> None:
    """A whole run took less than was thought, as when a machine has less to do by now: later kills come sooner."""
    times = read_times(folder)
    factor = min(1.0, seconds / times.seconds)
    write_times(folder, Times(factor * times.seconds, factor * times.begun))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended and what it said; code None if it was killed, -SIGALRM if it hung. What it left running."""

    code: int | None
    said: str
    times: Times
    orphans: tuple[str, ...] = ()

    @property
    def last(self) -> str:
        """Its last words."""
        return "\n".join(self.said.strip().splitlines()[-SAID:])[-1500:]

    @property
    def wrong(self) -> list[str]:
        """How it should not have ended, if it was left alone or killed: by itself with an error, or with orphans."""
        found = [f"still running after it: {orphan}" for orphan in self.orphans]
        if self.code == -signal.SIGALRM:
            found.append(f"it hangs: {self.last}")
        elif self.code not in (None, 0):
            found.append(f"it ended by itself with exit code {self.code}: {self.last}")
        return found


@dataclass(frozen=True, slots=True)
class Moment:
    """So many seconds after the start, or after it had begun; `alone`: what the process has started is not killed."""

    after: float
    begun: bool
    alone: bool = False

    @property
    def words(self) -> str:
        alone = "without its workers, " if self.alone else ""
        return f"{alone}{self.after:.2f} s after {'it had begun to write' if self.begun else 'its start'}"

    def reached(self, process: subprocess.Popen[bytes], begun: Callable[[], bool]) -> bool:
        """Wait for it; whether the process is still there."""
        if self.begun:
            wait_until_begun(process, begun)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self.after)
            return False
        return True


def random_moment(rng: Random, whole: Times) -> Moment:
    """Half of them anywhere in a run, half while it writes: most of a short run goes by with imports."""
    begun = rng.random() < 0.5
    return Moment(rng.uniform(0, 1.1 * (whole.seconds - whole.begun) if begun else whole.seconds), begun)


def wait_until_begun(process: subprocess.Popen[bytes], begun: Callable[[], bool]) -> None:
    """Or until it has ended; one that hangs raises TimeoutExpired."""
    until = time.monotonic() + LONGEST
    while process.poll() is None and not begun():
        if time.monotonic() > until:
            raise subprocess.TimeoutExpired(process.args, LONGEST)
        time.sleep(LOOK_EVERY)


def standing(place: Path) -> dict[str, tuple[int, int]]:
    """What stands in the folder, and when it was last written to."""
    found = {}
    for folder, _, names in os.walk(place):  # unlike rglob, it bears with folders that go while one looks
        for path in (Path(folder, name) for name in names):
            with suppress(FileNotFoundError):
                found[str(path)] = path.stat().st_mtime_ns, path.stat().st_size
    return found


def writes(place: Path) -> Callable[[], bool]:
    """Whether anything has been written there since now."""
    before = standing(place)
    return lambda: standing(place) != before


@contextmanager
def started(
    words: Sequence[str], place: Path, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start it there; all that it says goes to the end of the log."""
    own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with log.open("ab") as out:
        process = subprocess.Popen(
            words,
            cwd=place,
            env=os.environ | own | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """The whole group, whether its first process is still there or not; who has started others may end them before."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        orphans(process)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def of_run(process: subprocess.Popen[bytes], place: Path | None = None) -> Iterator[psutil.Process]:
    """Who is alive of its group, or works in its folder though it has left the group, as Ray's servers have."""
    for other in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            ours = os.getpgid(other.pid) == process.pid or (place is not None and other.cwd() == str(place.resolve()))
            if ours and other.status() != psutil.STATUS_ZOMBIE:
                yield other


def orphans(
    process: subprocess.Popen[bytes], place: Path | None = None, patience: float | None = None
) -> tuple[str, ...]:
    """Of a run that has ended: its processes that have not, some time later."""
    until = time.monotonic() + (PATIENCE if patience is None else patience)
    while (left := tuple(other.name() for other in of_run(process, place))) and time.monotonic() < until:
        time.sleep(0.1)
    return left


def run(
    words: Sequence[str],
    place: Path,
    *,
    moment: Moment | None = None,
    signals: Sequence[int] = SIGKILL,
    env: Mapping[str, str] | None = None,
    pause: float = 0.05,
    begun: Callable[[], bool] | None = None,
) -> Ended:
    """To its end, or to a moment, when its group gets the signals one after the other; SIGKILL is the end of it.

    It has begun when something else stands in its folder than before, unless another test is given.
    """
    log = place.with_name(f"{place.name}.log")
    before = log.stat().st_size if log.exists() else 0
    begun = begun or writes(place)
    start = time.monotonic()
    first, hit, code = 0.0, False, -signal.SIGALRM
    with started(words, place, log, env) as process:
        with suppress(subprocess.TimeoutExpired):  # it hangs
            if moment is None:
                wait_until_begun(process, begun)
                first = time.monotonic() - start
            elif hit := moment.reached(process, begun):
                for number in signals:
                    with suppress(ProcessLookupError):
                        (os.kill if moment.alone else os.killpg)(process.pid, number)
                    time.sleep(pause)
            code = process.wait(LONGEST)
        seconds = time.monotonic() - start
        left = () if code == -signal.SIGALRM else orphans(process)
    said = log.read_bytes()[before:].decode(errors="replace")
    return Ended(None if hit and code == -signal.SIGKILL else code, said, Times(seconds, first), left)
