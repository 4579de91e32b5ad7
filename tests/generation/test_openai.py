"""A server's responses, against a real server that misbehaves on purpose."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from generation import bad_server
from generation.bad_server import Server

from curriculum_verl.errors import InputError
from curriculum_verl.generation.backend import Generated, Request, Sampling
from curriculum_verl.generation.backends import http, pace
from curriculum_verl.generation.backends.openai import OpenAi
from curriculum_verl.generation.building import build_backend
from curriculum_verl.generation.job import Job
from curriculum_verl.generation.placing import Placing
from curriculum_verl.generation.refusals import RefusedError
from curriculum_verl.generation.run import generate
from curriculum_verl.generation.settings import BackendSettings


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(pace, "FIRST_WAIT", 0.001)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with bad_server.running() as found:
        yield found


def settings(server: Server, **changes: Any) -> BackendSettings:
    return replace(BackendSettings("openai", "toy", url=server.url, retries=3, timeout=20, concurrency=2), **changes)


def request(name: str = "a", count: int = 3, first: int = 0) -> Request:
    return Request(name, [{"role": "user", "content": f"ask {name}"}], count, seed=5, first=first)


def ask(
    server: Server, *asked: Request, sampling: Sampling | None = None, **changes: Any
) -> dict[str, list[Generated]]:
    with closing(build_backend(settings(server, **changes))) as backend:
        found = backend.sample(asked or [request()], sampling or Sampling(max_tokens=9))
        return {one.id: made for one, made in found}


def texts(found: dict[str, list[Generated]]) -> list[str]:
    return [response.text for response in found["a"]]


def test_what_a_server_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    sampling = Sampling(0.5, 0.9, 20, 9, ("END",))
    ask(server, sampling=sampling, api_key="MY_KEY", template={"enable_thinking": False})
    [body] = server.asked
    seed = body.pop("seed")
    assert 0 <= seed < 2**31
    assert body == {
        "model": "toy",
        "messages": [{"role": "user", "content": "ask a"}],
        "n": 3,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 20,
        "max_tokens": 9,
        "stop": ["END"],
        "chat_template_kwargs": {"enable_thinking": False},
    }
    assert server.headers[0]["Authorization"] == "Bearer secret"


def test_every_response_comes_back_with_its_tokens(server: Server) -> None:
    found = ask(server, request("a", 3), request("b", 2))
    assert {name: len(made) for name, made in found.items()} == {"a": 3, "b": 2}
    assert sum(response.tokens for response in found["a"]) == 30
    assert "Authorization" not in server.headers[0]
    assert not {"n", "stop", "top_k", "tools"} & set(ask(server, request("c", 1)) and server.asked[-1])


def test_a_server_that_refuses_n_is_asked_one_by_one_with_seeds_of_their_own(server: Server) -> None:
    server.always = bad_server.refuse_above(1)
    found = ask(server, request("a", 3), request("b", 3), concurrency=1)
    assert len(set(texts(found))) == 3
    assert [body.get("n", 1) for body in server.asked] == [3, 1, 1, 1, 1, 1, 1], "it is tried once"
    again = ask(server, request("a", 2, first=1), concurrency=1)
    assert texts(again) == texts(found)[1:], "the number of a response decides, not how many are asked for"


def test_a_server_that_refuses_so_many_is_asked_for_half_of_them(server: Server) -> None:
    server.always = bad_server.refuse_above(3)
    assert len(texts(ask(server, request("a", 8), request("b", 4), concurrency=1))) == 8
    assert [body.get("n", 1) for body in server.asked] == [8, 1, 4, 1, 2, 2, 2, 2, 2]


def test_a_server_that_gives_more_is_taken_at_its_word(server: Server) -> None:
    server.always = bad_server.give_more
    found = ask(server, request("a", 3))
    assert [text[-1] for text in texts(found)] == ["0", "1", "2"]


def test_a_server_that_does_not_count_tokens(server: Server) -> None:
    server.always = bad_server.answer({"choices": [{"message": {"content": "4"}}], "usage": [1]})
    assert ask(server, request("a", 2))["a"] == [Generated("4", None, "stop")] * 2


def test_a_server_that_gives_fewer_is_asked_for_the_rest(server: Server) -> None:
    server.most_choices = 2
    assert len(texts(ask(server, request("a", 5)))) == 5
    assert [body.get("n", 1) for body in server.asked] == [5, 3, 1]


def test_half_a_character_is_no_reason_to_end(server: Server) -> None:
    server.always = bad_server.answer({"choices": [{"message": {"content": "a\ud800b"}}]})
    assert [response.text for response in ask(server, request("a", 1))["a"]] == ["a?b"]


def test_a_server_that_knows_the_limit_by_its_new_name(server: Server) -> None:
    server.always = bad_server.want_new_limit
    assert len(ask(server, request("a"), request("b"), concurrency=1)) == 2
    assert ["max_tokens" in body for body in server.asked] == [True, False, False]


TRICKS = {
    "busy": bad_server.status(429),
    "busy, with a time": bad_server.status(429, Retry_After="0"),
    **{f"broken, {code}": bad_server.status(code) for code in (408, 425, 500, 503, 504, 520, 522, 524, 529)},
    "no JSON": bad_server.answer(b"<html>"),
    "JSON of another kind": bad_server.answer([1]),
    "no choices": bad_server.answer({"choices": []}),
    "a choice without a message": bad_server.answer({"choices": [{"text": "old"}]}),
    "cut": bad_server.cut,
    "cut in the middle": bad_server.cut_in_the_middle,
}


@pytest.mark.parametrize("trick", TRICKS)
def test_what_may_go_better_is_tried_again(server: Server, trick: str) -> None:
    server.tricks.extend([TRICKS[trick]] * 2)
    found = ask(server)
    assert len(server.asked) == 3
    assert server.asked[0] == server.asked[2], "the seed too"
    assert len(texts(found)) == 3


def test_no_more_calls_a_minute_than_agreed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(http.Client, "_wait", lambda _, seconds: waited.append(seconds))
    ask(server, *(request(str(number), 1) for number in range(4)), concurrency=1, requests_per_minute=6)
    assert waited == pytest.approx([0, 10, 20, 30], abs=4)


def test_a_server_whose_answer_takes_too_long_is_asked_again(server: Server) -> None:
    server.tricks.append(bad_server.drip)
    assert texts(ask(server, timeout=2))[0] != "x"
    assert len(server.asked) == 2


def test_a_server_that_hangs_is_asked_again(server: Server) -> None:
    server.tricks.append(bad_server.hang)
    assert len(texts(ask(server, timeout=2))) == 3
    assert len(server.asked) == 2


@pytest.mark.parametrize("trick", TRICKS)
def test_what_never_goes_better_is_an_error_that_says_what_to_do(server: Server, trick: str) -> None:
    server.always = TRICKS[trick]
    with pytest.raises(InputError, match=r"/chat/completions: .*, after 3 attempts; what is done is kept"):
        ask(server, retries=2)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (401, r"got no key: there is nothing in \$OPENAI_API_KEY; --api-key names another variable"),
        (402, "402: no; put credit on the account"),
        (404, "see --url, which often ends in /v1"),
        *((code, rf"answered {code}: .*; see --url") for code in (202, 302, 307, 405, 410, 418, 451, 501, 505)),
    ],
)
def test_what_no_repetition_mends_is_an_error_at_once(server: Server, code: int, said: str) -> None:
    server.always = bad_server.status(code, "no")
    with pytest.raises(InputError, match=said):
        ask(server)
    assert len(server.asked) == 1


def test_a_call_that_is_sent_elsewhere_is_not_followed(server: Server) -> None:
    server.always = bad_server.send_elsewhere
    with pytest.raises(InputError, match="answered 302: it sends calls to http://elsewhere/v1/chat/completions; see"):
        ask(server)


def test_a_request_that_is_refused_is_an_error_or_comes_back_empty(server: Server) -> None:
    def refuse(handler: bad_server.Handler, body: dict[str, Any]) -> None:
        long = body["messages"][0]["content"] == "ask long"
        (bad_server.status(400, "the prompt is too long") if long else bad_server.behave)(handler, body)

    server.always = refuse
    with pytest.raises(RefusedError, match="prompt long: the server refuses it with 400: the prompt is too long"):
        ask(server, request("long"))
    with closing(build_backend(settings(server, refused="skip"))) as backend:
        found = {one.id: made for one, made in backend.sample([request("long"), request("a")], Sampling())}
        assert found["long"] == []
        assert len(found["a"]) == 3
        assert isinstance(backend, OpenAi)
        assert backend.refused["long"].kind == "server_refused"


def test_no_server_and_no_such_model_are_told_before_anything_is_asked(server: Server) -> None:
    with pytest.raises(InputError, match="unknown model 'tou', expected one of toy; did you mean 'toy'"):
        ask(server, model="tou")
    server.models = None  # one that lists none
    assert ask(server, model="tou")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and nobody listens
        with pytest.raises(InputError, match="no server answers there: ConnectionRefusedError"):
            ask(server, url=f"http://127.0.0.1:{nobody.getsockname()[1]}/v1")
    with pytest.raises(InputError, match="expected http:// or https://"):
        ask(server, url="localhost:8000")


def test_requests_run_side_by_side_and_no_more_than_allowed(server: Server) -> None:
    server.always = bad_server.meet(3)
    found = ask(server, *(request(str(number), 1) for number in range(9)), concurrency=3)
    assert len(found) == 9
    assert server.most_at_once == 3


def test_when_nobody_wants_the_rest_nobody_waits_for_it(server: Server) -> None:
    server.tricks.append(bad_server.behave)
    server.always = bad_server.hang
    began = time.monotonic()
    with closing(build_backend(settings(server))) as backend:
        responses = backend.sample((request(str(number)) for number in range(100)), Sampling())
        next(responses)
        responses.close()  # type: ignore[attr-defined]
        with pytest.raises(InputError, match="stopped"):
            list(backend.sample([request()], Sampling()))
    assert len(server.asked) <= 3
    assert time.monotonic() - began < 10, "a call that hangs takes 20 seconds"


def test_a_run_against_a_server_goes_on_where_it_was_stopped(server: Server, make_job: Callable[..., Job]) -> None:
    job = make_job(backend=settings(server, retries=0))

    def dies(handler: bad_server.Handler, body: dict[str, Any]) -> None:
        (bad_server.status(500) if len(server.asked) > 8 else bad_server.behave)(handler, body)

    server.always = dies
    with pytest.raises(InputError, match="the server answered 500"):
        generate(job, Placing())
    server.always = None
    done = generate(job, Placing())
    assert 0 < done.made_now < 20
    found = [json.loads(line) for line in (job.output / "rollouts.jsonl").read_text().splitlines()]
    assert len({line["id"] for line in found}) == 20
    assert all(text.startswith(line["id"]) for line in found for text in line["response"])


def test_a_run_goes_on_with_a_server_that_has_moved(server: Server, make_job: Callable[..., Job]) -> None:
    job = make_job(backend=settings(server, retries=0))
    server.tricks.extend([bad_server.behave] * 8)
    server.always = bad_server.status(500)
    with pytest.raises(InputError):
        generate(job, Placing())
    with bad_server.running() as other:
        done = generate(replace(job, backend=settings(other)), Placing())
    assert 0 < done.made_now < 20
    assert done.manifest["origin"]["url"] == other.url
