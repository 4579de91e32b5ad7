"""Commands one after the other, under a lock that outlives their parent; a signal reaches the one that is at work."""
# ruff: noqa: T201  # a command's own

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from curriculum_verl.errors import InputError

PROG = "run_cumulative_stages.sh"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held(path: Path) -> Iterator[int]:
    """The lock's descriptor, for what is started to inherit: the lock is held until the last of them has ended."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        found = os.read(descriptor, 100).decode() or "unknown"
        raise InputError(
            f"{path.parent}: a run is at work there, or what a killed one has left (process {found}); wait for it to "
            "end, or end it by kill -INT"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: that file system cannot lock files ({error.strerror}); take another") from error
    else:
        yield descriptor
    finally:
        os.close(descriptor)


class Commands:
    """Each is a process group of its own, so that a signal from a terminal reaches it once, from here.

    A command that fails or is stopped ends the program, with the command's exit code.
    """

    def __init__(self, lock: int, again: str):
        self._lock, self._again = lock, again
        self._running: subprocess.Popen[bytes] | None = None
        self._caught: signal.Signals | None = None
        for number in SIGNALS:
            signal.signal(number, self._forward)

    def run(self, what: str, command: Sequence[str]) -> None:
        """Run a command to its end."""
        self._end_if_stopped()
        print(f"== {what}", flush=True)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0, pass_fds=[self._lock])
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(process.pid).encode(), 0)
        self._running = process
        if self._caught is not None:  # between the last look and now
            self._send(process, self._caught)
        code = process.wait()
        self._running = None
        self._end_if_stopped()
        if code:
            print(f"{PROG}: {what}: ended with code {code}; {self._again}", flush=True)
            raise SystemExit(code if code > 0 else 128 - code)

    def _forward(self, number: int, _: Any) -> None:
        self._caught = signal.Signals(number)
        if self._running is not None:
            self._send(self._running, self._caught)

    def _send(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def _end_if_stopped(self) -> None:
        if self._caught is not None:
            print(f"{PROG}: stopped by {self._caught.name}; {self._again}", flush=True)
            raise SystemExit(128 + self._caught)
