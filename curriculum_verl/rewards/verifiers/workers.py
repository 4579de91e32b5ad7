"""Warm processes that score what could hang: each can be ended at any moment, with all it started."""

import json
import os
import pickle
import queue
import select
import signal
import struct
import subprocess
import sys
import time
import weakref
from contextlib import suppress

from curriculum_verl.rewards.scoring import Component, Response, Score
from curriculum_verl.rewards.verifiers.guarding import failed
from curriculum_verl.rewards.verifiers.settings import WorkerSettings

_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {0} import main; main(int(sys.argv[2]))"
_MODULE = "curriculum_verl.rewards.verifiers.worker"
_STARTING = 180.0  # seconds in which a worker imports what a verifier needs, on a machine that is busy
_LONGEST_REPLY = 1 << 20
# A numeric library's threads would only wait for each other; and a worker is no place for verl's plug-ins.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "VERL_USE_EXTERNAL_PLUGINS": "none"}


class WorkerLostError(Exception):
    """A worker that ended, or had to be ended, before it gave a score."""


class NotReadyError(WorkerLostError):
    """A worker that was gone before it looked at the request: another one can be asked."""


class Isolated:
    """A verifier whose every score is given by a worker process; the calling thread only waits."""

    def __init__(self, verifier: Component, pool: "Pool"):
        self._verifier = pickle.dumps(verifier)
        self._pool = pool

    def score(self, response: Response) -> Score:
        """The score, or none when the worker took too long or died of it."""
        try:
            request = pickle.dumps((self._verifier, response))
        except Exception as error:  # whatever is in the data: pickling runs its own methods
            return failed(f"the task cannot be handed to a worker: {type(error).__name__}: {error}")
        try:
            return Score(**json.loads(self._pool.ask(request)))
        except WorkerLostError as error:
            return failed(str(error))


class Pool:
    """Safe from many threads: whoever comes when all workers are busy waits for one."""

    def __init__(self, settings: WorkerSettings):
        self._settings = settings
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(settings.count):
            self._free.put(None)
        self.close = weakref.finalize(self, _close_all, self._free)

    def ask(self, request: bytes) -> bytes:
        """The reply of one worker; it is started, or started again, where there is none."""
        try:
            return self._ask_one(request)
        except NotReadyError:
            return self._ask_one(request)

    def _ask_one(self, request: bytes) -> bytes:
        worker = self._free.get()
        try:
            if worker is None or not worker.alive():
                worker = _replace(worker, self._settings)
            return worker.ask(request, self._settings.seconds)
        except BaseException:  # whatever happened: the next request finds a fresh worker
            if worker is not None:
                worker.close()
            worker = None
            raise
        finally:
            self._free.put(worker)


def _replace(old: "_Worker | None", settings: WorkerSettings) -> "_Worker":
    if old is not None:
        old.close()
    return _Worker(settings)


def _close_all(free: "queue.LifoQueue[_Worker | None]") -> None:
    with suppress(queue.Empty):
        while True:
            worker = free.get_nowait()
            if worker is not None:
                worker.close()


class _Worker:
    """One process, and its two pipes: requests go in, and of each comes first that it is ready, then the score."""

    def __init__(self, settings: WorkerSettings):
        arguments = [json.dumps(sys.path), str(settings.memory_mb)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START.format(_MODULE), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ENVIRONMENT},
            start_new_session=True,
        )

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: bytes, seconds: float) -> bytes:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(struct.pack(">Qd", len(request), seconds) + request)
            stdin.flush()
        except BrokenPipeError as error:
            raise NotReadyError("the verifier's process ended before it was asked") from error
        try:
            self._read(time.monotonic() + _STARTING, "did not start in time")
        except WorkerLostError as error:
            raise NotReadyError(str(error)) from error
        return self._read(time.monotonic() + seconds, f"took more than {seconds:g} s")

    def _read(self, deadline: float, too_late: str) -> bytes:
        length = struct.unpack(">I", self._exactly(4, deadline, too_late))[0]
        if length > _LONGEST_REPLY:
            raise WorkerLostError("the verifier gave too long a reply")
        return self._exactly(length, deadline, too_late)

    def _exactly(self, count: int, deadline: float, too_late: str) -> bytes:
        assert self._process.stdout is not None
        descriptor, data = self._process.stdout.fileno(), bytearray()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while len(data) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise WorkerLostError(f"the verifier {too_late}")
            more = os.read(descriptor, count - len(data))
            if not more:
                raise WorkerLostError(f"the verifier's process ended with {self._ending(deadline)}")
            data += more
        return bytes(data)

    def _ending(self, deadline: float) -> str:
        try:
            code = self._process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return "a closed pipe"
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def close(self) -> None:
        """End the process and all that it started."""
        _end_tree(self._process.pid)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def _end_tree(root: int) -> None:
    """Children first stop, so that none can start another while they are looked up; then all are killed."""
    family, seen = [root], set[int]()
    while family:
        process = family.pop()
        if process in seen:
            continue
        seen.add(process)
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGSTOP)
        family += _children(process)
    for process in seen:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(root, signal.SIGKILL)


def _children(process: int) -> list[int]:
    try:
        with open(f"/proc/{process}/task/{process}/children", encoding="ascii") as listing:  # noqa: PTH123
            return [int(child) for child in listing.read().split()]
    except OSError:
        return []  # not Linux, or gone: the process group is all there is to go by
