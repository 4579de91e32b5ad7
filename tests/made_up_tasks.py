"""Tasks made up for tests of runners: their workers import them by name."""

import os
import signal
from pathlib import Path

from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.scores import LineError


def square(number: int) -> int:
    return number * number


def process(_: object) -> int:
    return os.getpid()


def blocked_signals(_: object) -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def refuse_odd(number: int) -> int:
    """An error of the package for every odd number, and one of Python for a negative one."""
    if number < 0:
        raise ZeroDivisionError("negative")
    if number % 2:
        raise InputError(f"r.jsonl:{number}: is not JSON")
    return number


def refuse_line(number: int) -> int:
    raise LineError("not_json", f"line {number} is not JSON")


def give_what_cannot_travel(_: object) -> object:
    return lambda: None


def kill_own_process(number: int) -> int:
    """Every task but the first kills its worker."""
    if number:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def kill_own_process_once(task: tuple[int, Path]) -> tuple[int, int]:
    """Number 3 and number 8 kill their worker when they are tried for the first time."""
    number, folder = task
    mark = folder / f"tried-{number}"
    if number in (3, 8) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number, number * number


def say(number: int) -> int:
    """Say so where the test listens."""
    print("running", flush=True)
    return number


def begin_and_end(task: tuple[int, Path]) -> int:
    """All but number 0 mark their begin and their end; that one fails as soon as another has begun."""
    number, folder = task
    if number == 0:
        while not list(folder.glob("*-began")):
            pass
        raise InputError("number 0")
    (folder / f"{number}-began").touch()
    for _ in range(100):
        sum(range(100_000))
    (folder / f"{number}-ended").touch()
    return number


# What raises on which number, and what must arrive, wherever the task ran.
ERRORS = [
    (refuse_odd, 3, InputError("r.jsonl:3: is not JSON")),
    (refuse_odd, -1, ZeroDivisionError("negative")),
    (refuse_line, 4, LineError("not_json", "line 4 is not JSON")),
]


def check_error(running, function, number, error):
    """The error of one task among others comes through as it is."""
    import pytest  # not in the workers, which import this module too

    with pytest.raises(type(error)) as caught:
        list(running.map(function, [number, *range(0, 20, 2)]))
    assert type(caught.value) is type(error)
    assert str(caught.value) == str(error)
    assert getattr(caught.value, "reason", None) == getattr(error, "reason", None)
