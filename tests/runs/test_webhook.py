"""The webhook: what is posted, what a server that is slow, dead or unwilling costs, and what is never told."""

import json
import logging
import socket
import subprocess
import sys
import time

import pytest
from runs.receiver import receiving

from curriculum_verl.runs import webhook
from curriculum_verl.runs.webhook import VARIABLE, Webhook, find_webhook

QUICK = {"timeout": 10.0, "pauses": (0.0, 0.0)}


def test_messages_are_posted_as_json_in_order() -> None:
    with receiving() as receiver:
        hook = Webhook(receiver.address, **QUICK)
        for step in range(5):
            hook.send({"kind": "alert", "step": step, "text": "KL is höher"})
        hook.close()
        posted = [receiver.posted.get_nowait() for _ in range(5)]
    assert [message["step"] for message in posted] == [0, 1, 2, 3, 4]
    assert posted[0] == {"kind": "alert", "step": 0, "text": "KL is höher", "type": "application/json"}
    assert receiver.paths == ["/hooks/secret"] * 5


def test_what_failed_is_tried_again_and_posted_once() -> None:
    with receiving(500, 429) as receiver:
        hook = Webhook(receiver.address, **QUICK)
        hook.send({"step": 1})
        hook.send({"step": 2})
        hook.close()
        assert [receiver.next()["step"] for _ in range(4)] == [1, 1, 1, 2]


@pytest.mark.parametrize(("status", "attempts"), [(500, 3), (404, 1), (307, 1), (302, 1)])
def test_what_is_refused_is_a_line_in_the_log_without_the_address(
    status: int, attempts: int, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(*[status] * 3) as receiver:
        hook = Webhook(receiver.address, **QUICK)
        hook.send({"step": 1})
        hook.close()
    assert receiver.paths == ["/hooks/secret"] * attempts, "a redirect is not followed"
    assert f"webhook at 127.0.0.1: a message was not posted: HTTP status {status}" in caplog.text
    assert "secret" not in caplog.text


def test_a_server_that_is_not_there_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and nobody listens
        hook = Webhook(f"http://127.0.0.1:{nobody.getsockname()[1]}/secret", **QUICK)
        hook.send({"step": 1})
        hook.close()
    assert "a message was not posted" in caplog.text
    assert "refused" in caplog.text
    assert "secret" not in caplog.text


def test_a_server_that_never_answers_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    with receiving(0) as receiver:
        hook = Webhook(receiver.address, **QUICK)
        hook.send({"step": 0})
        receiver.next()  # it has come, and waits for its answer
        began = time.monotonic()
        for step in range(webhook.WAITING + 3):
            hook.send({"step": step})
        assert time.monotonic() - began < QUICK["timeout"] / 2
        assert caplog.text.count("one more is dropped") == 3
        hook.close(0.05)
        assert time.monotonic() - began < QUICK["timeout"] * 0.9
        assert "were not posted" in caplog.text
        hook.send({"step": 7})
        hook.close()


def test_a_process_that_ends_without_a_word_still_posts() -> None:
    with receiving() as receiver:
        code = (
            "from curriculum_verl.runs.webhook import Webhook\n"
            f"Webhook({receiver.address!r}).send({{'step': 9}}); 1 / 0"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "ZeroDivisionError" in done.stderr
        assert receiver.next()["step"] == 9


def test_a_process_with_a_dead_webhook_ends_soon() -> None:
    with receiving(0) as receiver:
        code = (
            "import time; from curriculum_verl.runs import webhook; webhook.FLUSH = 0.2\n"
            f"hook = webhook.Webhook({receiver.address!r}); hook.send({{'step': 9}}); hook.close(0.2); print('ends')"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.returncode) == ("ends\n", 0)
        assert "were not posted" in done.stderr


def test_the_environment_goes_before_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert find_webhook(None) is None
    with receiving() as recipe, receiving() as environment:
        hook = find_webhook(recipe.address)
        hook.send({"step": 1})
        hook.close()
        monkeypatch.setenv(VARIABLE, environment.address)
        hook = find_webhook(recipe.address)
        hook.send({"step": 2})
        hook.close()
        assert (recipe.next()["step"], environment.next()["step"]) == (1, 2)
        assert recipe.posted.empty()


def test_an_address_that_is_none_is_an_error_in_the_log_and_not_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, "file:///etc/secret")
    with caplog.at_level(logging.ERROR):
        assert find_webhook("https://a.example/hook") is None
    assert VARIABLE in caplog.text
    assert "secret" not in caplog.text


def test_an_address_with_a_login_is_an_error_in_the_log_that_does_not_tell_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, "https://user:hunter2@hooks.example/x")
    with caplog.at_level(logging.ERROR):
        assert find_webhook(None) is None
    assert f"{VARIABLE}: got an address with a user name or a password before its host hooks.example" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_message_stays_json_whatever_it_holds() -> None:
    with receiving() as receiver:
        hook = Webhook(receiver.address, **QUICK)
        hook.send({"text": '<script>"\n\u202e', "value": float("nan")})
        hook.close()
        assert json.loads(json.dumps(receiver.next()))["text"] == '<script>"\n\u202e'
