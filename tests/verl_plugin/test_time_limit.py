import asyncio
import threading

import pytest

from curriculum_verl.verl_plugin.time_limit import TimeLimit


def test_what_hangs_costs_its_caller_the_limit_and_nobody_else():
    released = threading.Event()

    async def run() -> list:
        loop = asyncio.get_running_loop()
        limit = TimeLimit(loop, 1, threads=2)

        def blocking(task: int) -> int:
            if task < 3:
                released.wait(30)
            return task

        work = [limit.run(lambda task=task: loop.run_in_executor(None, blocking, task)) for task in range(8)]
        return await asyncio.gather(*work, return_exceptions=True)

    results = asyncio.run(run())
    released.set()
    assert [str(result) for result in results[:3]] == ["took longer than 1 s"] * 3
    assert results[3:] == [3, 4, 5, 6, 7], "more hung than there are threads"


def test_waiting_for_a_thread_does_not_count():
    async def run() -> list:
        loop = asyncio.get_running_loop()
        limit = TimeLimit(loop, 2, threads=1)
        pause = threading.Event()
        return await asyncio.gather(*(limit.run(lambda: loop.run_in_executor(None, pause.wait, 0.5)) for _ in range(6)))

    assert asyncio.run(run()) == [False] * 6


def test_a_timeout_of_the_works_own_is_not_ours():
    async def run() -> None:
        async def fail() -> None:
            raise TimeoutError("the socket's")

        await TimeLimit(asyncio.get_running_loop(), 1.0).run(fail)

    with pytest.raises(TimeoutError, match="the socket's"):
        asyncio.run(run())


def test_what_the_work_raises_is_raised():
    async def run() -> None:
        async def fail() -> None:
            raise ValueError("mine")

        await TimeLimit(asyncio.get_running_loop(), 1.0).run(fail)

    with pytest.raises(ValueError, match="mine"):
        asyncio.run(run())
