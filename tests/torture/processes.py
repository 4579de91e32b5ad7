"""Processes that are tortured: each in a group of its own, which is killed as a whole and never outlives the block."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 1800.0  # seconds; what takes longer hangs
LOOK_EVERY = 0.002
TIMES = "times.json"
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
    """How a run ended and what it said; code None if it was killed."""

    code: int | None
    said: str
    times: Times

    @property
    def last(self) -> str:
        """Its last words."""
        return "\n".join(self.said.strip().splitlines()[-8:])[-1500:]


@dataclass(frozen=True, slots=True)
class Moment:
    """So many seconds after the start, or after something first stood in the folder."""

    after: float
    begun: bool

    @property
    def words(self) -> str:
        return f"{self.after:.2f} s after {'it had begun to write' if self.begun else 'its start'}"

    def reached(self, process: subprocess.Popen[bytes], place: Path) -> bool:
        """Wait for it; whether the process is still there."""
        if self.begun:
            wait_until_begun(process, place)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self.after)
            return False
        return True


def random_moment(rng: Random, whole: Times) -> Moment:
    """Half of them anywhere in a run, half while it writes: most of a short run goes by with imports."""
    begun = rng.random() < 0.5
    return Moment(rng.uniform(0, 1.1 * (whole.seconds - whole.begun) if begun else whole.seconds), begun)


def wait_until_begun(process: subprocess.Popen[bytes], place: Path) -> None:
    """Or until it has ended, or hangs."""
    until = time.monotonic() + LONGEST
    while process.poll() is None and not has_begun(place) and time.monotonic() < until:
        time.sleep(LOOK_EVERY)


def has_begun(place: Path) -> bool:
    """Whether anything stands in the folder, but for an empty `out` that was there before."""
    with suppress(FileNotFoundError):  # of what goes while one looks
        return any(path.name != "out" for path in place.rglob("*"))
    return True


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
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """The whole group, whether its first process is still there or not."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(
    words: Sequence[str],
    place: Path,
    *,
    moment: Moment | None = None,
    signals: Sequence[int] = (signal.SIGKILL,),
    env: Mapping[str, str] | None = None,
    pause: float = 0.05,
) -> Ended:
    """To its end, or to a moment, when its group gets the signals one after the other; SIGKILL is the end of it."""
    log = place.with_name(f"{place.name}.log")
    before = log.stat().st_size if log.exists() else 0
    start = time.monotonic()
    begun, hit = 0.0, False
    with started(words, place, log, env) as process:
        if moment is None:
            wait_until_begun(process, place)
            begun = time.monotonic() - start
        elif hit := moment.reached(process, place):
            for number in signals:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                time.sleep(pause)
        try:
            code: int | None = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            kill(process)
            code = -signal.SIGALRM
    said = log.read_bytes()[before:].decode(errors="replace")
    ended = Ended(code, said, Times(time.monotonic() - start, begun))
    return Ended(None, said, ended.times) if hit and code == -signal.SIGKILL else ended
