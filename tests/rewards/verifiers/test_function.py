import os
import threading
import time
from pathlib import Path

import pytest
from rewards.verifiers import made_up_functions

from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.verifiers.function import load_function
from curriculum_verl.rewards.verifiers.registry import build_verifier
from curriculum_verl.rewards.verifiers.settings import FinalSettings, WorkerSettings

FILE = made_up_functions.__file__
NAMES = [
    name
    for name, found in vars(made_up_functions).items()
    if callable(found) and found.__module__ == made_up_functions.__name__
]


def built(seconds: float):
    styles = {name: f"{FILE}:{name}" for name in NAMES}
    return build_verifier(FinalSettings(styles=styles, workers=WorkerSettings(seconds=seconds, memory_mb=512)))


@pytest.fixture(scope="module")
def verifier():
    made = built(60)
    yield made
    made.close()


@pytest.fixture(scope="module")
def hurried():
    made = built(2)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("by_response", 1, {"gave_up": 0, "success": 1}),
        ("by_verl", 1, {"length": 4, "extra": 2, "gave_up": 0, "success": 1}),
        ("whole", 0.25, {"part": 1, "gave_up": 0, "success": 0}),
    ],
)
def test_what_a_function_gives_becomes_the_score(verifier, name, value, parts):
    score = verifier.score(Response("text", "text", style=name, extra={"extra": 2}))
    assert (score.value, score.failure) == (value, None)
    assert score.parts == parts


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none_at_all", "the function gave nothing, expected a number"),
        ("no_number", "ValueError: could not convert string to float: 'a lot'"),
        ("not_finite", "the verifier gave nan, expected a finite number"),
        ("endless_number", "OverflowError"),
        ("without_score", "the function gave a mapping with ['reward'], expected the key 'score'"),
        ("raises", "KeyError: 'what'"),
        ("raises_at_the_deep_end", "RecursionError"),
        ("exits", "the verifier's process ended with exit code 3"),
        ("dies", "the verifier's process ended with exit code 7"),
        ("crashes", "the verifier's process ended with signal 6"),
        ("eats_memory", "MemoryError"),
        ("closes_everything", "the verifier's process ended"),
        ("long_parts", "the verifier gave too long a reply"),
    ],
)
def test_a_function_that_fails_costs_one_score_and_the_next_one_is_given(verifier, name, reason):
    score = verifier.score(Response("text", "text", style=name))
    assert score.value is None
    assert reason in score.failure
    assert verifier.score(Response("text", "text", style="by_response")).value == 1


@pytest.mark.parametrize("name", ["hangs", "hangs_in_a_pattern"])
def test_a_function_that_hangs_is_ended(hurried, name):
    score = hurried.score(Response("text", "text", style=name))
    assert (score.value, score.failure) == (None, "the verifier took more than 2 s")


def test_a_function_that_forks_gives_one_score(verifier):
    for _ in range(5):
        assert verifier.score(Response("text", style="forks")).value == 1
        assert verifier.score(Response("text", "other", style="by_response")).value == 0


def test_what_a_function_prints_does_not_get_into_the_scores(verifier):
    for _ in range(3):
        assert verifier.score(Response("text", style="talks")).value == 1


def test_children_are_ended_with_the_function_that_hangs(hurried, tmp_path):
    told = tmp_path / "children"
    score = hurried.score(Response("text", str(told), style="leaves_children"))
    assert score.failure == "the verifier took more than 2 s"
    children = [int(number) for number in told.read_text().split()]
    assert len(children) == 2
    deadline = time.monotonic() + 10
    while any(is_alive(child) for child in children):
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_worker_is_another_process_and_stays_warm(verifier):
    first, second = (verifier.score(Response("text", style="process")).value for _ in range(2))
    assert first == second != os.getpid()


def test_a_worker_is_not_taken_for_as_large_as_the_process_that_started_it():
    ballast = b"x" * (300 << 20)  # more than half of what a worker may hold
    made = built(60)
    first, second = (made.score(Response("text", style="process")).value for _ in range(2))
    made.close()
    assert first == second
    del ballast


def test_a_task_that_cannot_be_handed_over_has_no_score(verifier):
    score = verifier.score(Response("text", lambda: None, style="by_response"))
    assert score.failure.startswith("the task cannot be handed to a worker: ")


def test_a_function_in_an_installed_module_is_found_too(user_module):
    name = user_module("user_scoring", "def score(response): return 0.5")
    made = build_verifier(FinalSettings(default=f"{name}:score"))
    assert made.score(Response("text")).value == 0.5
    made.close()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere.py:f", "there is no file nowhere.py; expected file.py:name"),
        (f"{FILE}:nothing", "cannot be imported (AttributeError"),
        (f"{FILE}:not_a_function", "got int, expected something that can be called"),
        ("no_such_module_here:f", "cannot be imported (ModuleNotFoundError"),
    ],
)
def test_a_function_that_is_not_there_is_an_error_of_the_settings(path, reason):
    with pytest.raises(InputError) as caught:
        load_function(path)
    assert reason in str(caught.value)
    with pytest.raises(ConfigError, match="final reward: 1 problem"):
        build_verifier(FinalSettings(default=path))


def test_a_file_that_fails_to_import_is_named(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("1 / 0")
    with pytest.raises(InputError, match=r"broken.py:f: cannot be imported \(ZeroDivisionError"):
        load_function(f"{file}:f")
