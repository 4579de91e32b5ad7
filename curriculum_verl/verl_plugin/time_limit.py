"""A time limit for blocking code of others: what hangs costs its caller the limit, and nobody else."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

MOST_HUNG = 100  # threads that are left behind in one process
THREADS = min(32, (os.cpu_count() or 1) + 4)


class TimeLimit:
    """Runs what uses the event loop's default executor, no more at a time than it has threads.

    So the time starts when the work does. A thread cannot be ended: one that hangs is left behind with its executor,
    which a new one replaces.
    """

    def __init__(self, loop: Any, seconds: float, threads: int = THREADS):
        self._loop, self._seconds, self._threads = loop, seconds, threads
        self._slots = asyncio.Semaphore(threads)
        self._hung = 0
        self._renew()

    def _renew(self) -> None:
        self._loop.set_default_executor(ThreadPoolExecutor(self._threads, thread_name_prefix="reward"))

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of the work, or TimeoutError."""
        async with self._slots:
            task = asyncio.ensure_future(work())
            done, _ = await asyncio.wait({task}, timeout=self._seconds)
            if done:
                return task.result()
            task.cancel()
            self._hung += 1
            if self._hung <= MOST_HUNG:  # beyond it all that follows fails too, which ends the run
                self._renew()
            raise TimeoutError(f"took longer than {self._seconds:g} s")
