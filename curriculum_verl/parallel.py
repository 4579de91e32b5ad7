"""The same job in this process, in several, or on a Ray cluster; results always come in the order of the tasks."""

import multiprocessing
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from curriculum_verl.errors import InputError

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 2  # tasks per worker that are handed out before the first result is taken
RETRIES = 3  # of a task on a cluster whose worker dies
CONNECT_SECONDS = 10


class Runner(Protocol):
    """Runs a function of a module on every task; when the results end, by an error too, no task runs any more."""

    workers: int
    distributed: bool  # tasks may run on other machines: outputs go through shared storage, not through this process

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """The results, in the order of the tasks."""


class InProcess:
    """One task after the other, here."""

    workers = 1
    distributed = False

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """The results, in the order of the tasks."""
        return map(function, tasks)


class Processes:
    """Worker processes on this machine."""

    distributed = False

    def __init__(self, pool: ProcessPoolExecutor, workers: int):
        self._pool = pool
        self.workers = workers

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """The results, in the order of the tasks."""
        try:
            yield from _ahead(self.workers * AHEAD, tasks, lambda task: self._submit(function, task), _result, _drop)
        except BrokenProcessPool as error:
            raise InputError(
                "a worker process was killed, most likely for want of memory; use fewer --workers"
            ) from error

    def _submit(self, function: Callable[[T], R], task: T) -> Future[R]:
        """Hand out a task. A worker that starts with it inherits that Ctrl-C is blocked: it is for the parent alone."""
        # Another thread of this process may take the signal all the same, so Python puts it off as well.
        interrupts: list[int] = []
        here = threading.current_thread() is threading.main_thread()
        handler = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number)) if here else None
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._pool.submit(function, task)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if here:
                signal.signal(signal.SIGINT, handler)
            if interrupts:
                signal.raise_signal(signal.SIGINT)


class OnRay:
    """Tasks of a Ray cluster; one whose worker dies is run again."""

    distributed = True

    def __init__(self, ray: Any, workers: int):
        self._ray = ray
        self.workers = workers

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """The results, in the order of the tasks."""
        remote = self._ray.remote(function).options(max_retries=RETRIES)
        return _ahead(self.workers * AHEAD, tasks, remote.remote, self._get, self._drop)

    def _get(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, Exception) else error from None
        except self._ray.exceptions.RayError as error:
            raise InputError(
                f"--ray: a task was lost with its worker, and again when it was repeated: {error}"
            ) from error

    def _drop(self, references: Iterable[Any]) -> None:
        # Waits, since ray.cancel can end this process: "Tried to complete task that was not pending" (Ray 2.60).
        for reference in references:
            with suppress(Exception):  # nobody asks for it; but unless someone does, Ray prints it
                self._ray.get(reference)


def _result(future: Future[R]) -> R:
    return future.result()


def _drop(futures: Iterable[Future[Any]]) -> None:
    wait([future for future in futures if not future.cancel()])


def _ahead(
    count: int,
    tasks: Iterable[T],
    submit: Callable[[T], Any],
    get: Callable[[Any], R],
    drop: Callable[[Iterable[Any]], None],
) -> Iterator[R]:
    """The results in order; some tasks are handed out ahead, and dropped if their results are not wanted after all."""
    waiting: deque[Any] = deque()

    def first() -> R:
        result = get(waiting[0])
        waiting.popleft()
        return result

    try:
        for task in tasks:
            waiting.append(submit(task))
            if len(waiting) > count:
                yield first()
        while waiting:
            yield first()
    finally:
        drop(waiting)


@contextmanager
def runner(workers: int = 1, ray_address: str | None = None) -> Iterator[Runner]:
    """In this process, in `workers` processes, or on Ray: at an address, or "" for the cluster at hand or a new one."""
    if ray_address is not None:
        with _ray(ray_address) as on_ray:
            yield on_ray
    elif workers > 1:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _follow_parent) as pool:
            try:
                yield Processes(pool, workers)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    else:
        yield InProcess()


def _follow_parent() -> None:
    """End with the parent, even if that is killed: a worker alone would wait for tasks for ever."""
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextmanager
def _ray(address: str) -> Iterator[OnRay]:
    try:
        import ray
    except ImportError as error:
        raise InputError("--ray: Ray is not installed; install it with: pip install ray") from error
    started = not ray.is_initialized()
    if started:
        address = address or os.environ.get("RAY_ADDRESS", "")
        _check_address(address)
        checkout = Path(__file__).parent.parent  # it need not be installed
        paths = os.pathsep.join(filter(None, [str(Path.cwd()), str(checkout), os.environ.get("PYTHONPATH")]))
        try:
            ray.init(
                address=address or None,
                runtime_env={"env_vars": {"PYTHONPATH": paths}},
                log_to_driver=False,
                include_dashboard=False,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:  # the last: another version of Ray or Python
            raise InputError(f"--ray {address}: no Ray cluster answers there: {error}") from error
    try:
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        cores = int(resources.get("CPU", 1))
        yield OnRay(ray, cores)
    finally:
        if started:
            ray.shutdown()


def _check_address(address: str) -> None:
    """An error at once where nobody answers; Ray itself would try for many minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            raise InputError(f"--ray {address}: no Ray cluster answers there: {error}") from error
