"""What is tried again and how long after, what is an error at once, and what is told of a long wait."""

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from tqdm import tqdm

from curriculum_verl.errors import InputError
from curriculum_verl.generation.backends import http
from curriculum_verl.generation.backends.http import Answer, Client, FailedError

GOOD = Answer(200, {"good": True})


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.now += seconds
        if seconds:
            self.waits.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(http, "time", SimpleNamespace(monotonic=lambda: made.now))
    monkeypatch.setattr(http, "random", SimpleNamespace(Random=lambda: SimpleNamespace(random=lambda: 1.0)))
    monkeypatch.setattr(Client, "_wait", made.wait)
    return made


def client(monkeypatch: pytest.MonkeyPatch, *answers: Answer | FailedError, per_minute: float | None = None) -> Client:
    """One that is given these answers."""
    given = iter(answers)

    def send(*_: Any) -> Answer:
        answer = next(given)
        if isinstance(answer, FailedError):
            raise answer
        return answer

    monkeypatch.setattr(Client, "_send", send)
    return Client("http://localhost", None, key_name="KEY", retries=6, timeout=9, per_minute=per_minute)


def ask(asked: Client) -> Answer:
    return asked.post("chat", {}, lambda _: None)


def busy(after: float | None = None) -> FailedError:
    return FailedError("the server answered 429: busy", 429, after)


def test_each_attempt_waits_longer_than_the_one_before(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(client(monkeypatch, *[busy()] * 4, GOOD)) == GOOD
    assert clock.waits == [1, 2, 4, 8]


def test_a_server_that_says_when_is_asked_no_earlier_and_no_sooner_than_any_other(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(client(monkeypatch, busy(0.0), busy(0.0), busy(7.0), GOOD)) == GOOD
    assert clock.waits == [1, 2, 4, 3]
    assert clock.now == 1010


def test_a_turn_is_worth_nothing_while_the_server_wants_to_be_left_alone(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = client(monkeypatch, GOOD, GOOD, per_minute=6)
    ask(waiting)

    def another_is_told_off(seconds: float) -> None:
        if clock.now == 1000.0:
            waiting._pace.pause(1060.0)
        clock.wait(seconds)

    monkeypatch.setattr(waiting, "_wait", another_is_told_off)
    ask(waiting)
    assert clock.waits == [10, 50]


def test_a_long_wait_is_told_once(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    waiting = client(monkeypatch, busy(29.0), busy(120.0), GOOD)
    ask(waiting)
    assert said.getvalue() == "generate: waits 2 min 00 s for http://localhost: the server answered 429: busy\n"
    for later in (30.0, 0.0):  # another call that was told off at the same moment, and one that was told off later
        clock.now -= later
        waiting._tell(busy(), clock.now, 60.0)
    assert said.getvalue().count("waits") == 1
    waiting._tell(busy(), clock.now + 200.0, 60.0)
    assert said.getvalue().count("waits") == 2


def test_what_is_told_is_not_in_the_middle_of_a_bar(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    with tqdm(total=3, file=said):
        ask(client(monkeypatch, busy(60.0), GOOD))
    [line] = [line for line in said.getvalue().replace("\r", "\n").splitlines() if "waits" in line]
    assert line.startswith("generate: waits 1 min 00 s")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (402, "put credit on the account"),
        (404, "see --url, which often ends in /v1, and --model"),
        (418, "see --url, expected the base URL"),
    ],
)
def test_an_answer_that_no_repetition_mends_says_what_to_do(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    answer = Answer(status, {"error": {"message": "no \x1b[31mway"}})
    with pytest.raises(InputError, match=rf"localhost: the server answered {status}: no \\x1b\[31mway; {said}"):
        ask(client(monkeypatch, answer))
    assert not clock.waits
