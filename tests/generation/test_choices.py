"""Answers of servers as responses: the text as the model wrote it, tokens if they are counted, why it ended."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.generation.backend import Generated
from curriculum_verl.generation.backends.choices import check, generated, shares
from curriculum_verl.rewards.settings import Operations
from curriculum_verl.rewards.trajectory import read_trajectory
from curriculum_verl.rewards.verifiers.answers import after_thinking

ZOOM = Operations({"ZOOM_IN": 1.0})


def one(message: dict[str, Any], finish: Any = "stop", **more: Any) -> Generated:
    content = {"choices": [{"message": message, "finish_reason": finish}], **more}
    assert check(content) is None
    [made] = generated(content)
    return made


def call(name: Any, arguments: Any) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_that_a_server_took_out_stands_before_the_answer(key: str) -> None:
    text = one({"content": "The answer is 4.", key: "2 and 2"}).text
    assert text == "<think>\n2 and 2\n</think>\n\nThe answer is 4."
    assert after_thinking(text) == "The answer is 4."
    assert read_trajectory(text, ZOOM).steps == ("2 and 2", "The answer is 4.")


def test_reasoning_that_was_cut_is_not_closed() -> None:
    assert one({"content": None, "reasoning_content": "2 and"}, "length").text == "<think>\n2 and"
    assert one({"content": None, "reasoning_content": "2 and"}, "stop").text.rstrip().endswith("</think>")
    assert one({"content": "4", "reasoning_content": "2 and"}, "length").text.endswith("</think>\n\n4")


def test_tool_calls_that_a_server_took_out_are_tool_use() -> None:
    calls = [call("ZOOM_IN", '{"x": 1, "what": "é"}'), call("ZOOM_IN", {"x": 2})]
    text = one({"content": "I look.", "tool_calls": calls}, "tool_calls").text
    assert text.startswith(
        'I look.\n<tool_call>\n{"name": "ZOOM_IN", "arguments": {"x": 1, "what": "é"}}\n</tool_call>'
    )
    found = read_trajectory(text, ZOOM)
    assert [(made.name, json.loads(made.arguments)) for made in found.operations] == [
        ("ZOOM_IN", {"x": 1, "what": "é"}),
        ("ZOOM_IN", {"x": 2}),
    ]
    assert found.malformed == 0


@pytest.mark.parametrize("made", [call("ZOOM_IN", "{"), call("zoom", "{}"), call(None, None), {"x": 1}, 7, None])
def test_a_call_that_cannot_be_made_counts_as_one(made: Any) -> None:
    found = read_trajectory(one({"content": None, "tool_calls": [made]}).text, ZOOM)
    assert (len(found.operations), found.malformed) == (1, 1)


@pytest.mark.parametrize("calls", [None, [], {}, "none"])
def test_a_message_without_calls_is_its_text(calls: Any) -> None:
    assert one({"content": "4", "tool_calls": calls, "reasoning_content": None}).text == "4"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "stop"),
        (None, "stop"),
        ({"type": "stop"}, "stop"),
    ],
)
def test_why_a_response_ended(reason: Any, finish: str) -> None:
    assert one({"content": "4"}, reason).finish == finish


@pytest.mark.parametrize(
    "usage",
    [None, [1], "many", {}, {"completion_tokens": None}, {"completion_tokens": "abc"}, {"completion_tokens": True}]
    + [{"completion_tokens": count} for count in (0, -3, 1.5, [1], 10**30)],
)
def test_tokens_that_a_server_does_not_count_are_unknown(usage: Any) -> None:
    assert one({"content": "4"}, usage=usage).tokens is None


def test_tokens_are_shared_out_by_length() -> None:
    choices = [{"message": {"content": text}} for text in ("", "1", "123")]
    made = generated({"choices": choices, "usage": {"completion_tokens": 14}})
    assert [response.tokens for response in made] == [2, 4, 8]


def test_half_a_character_is_no_reason_to_end() -> None:
    assert one({"content": "a\ud800b", "tool_calls": [call("a\ud800", "{}")]}).text.isprintable() is False
    assert one({"content": "a\ud800b"}).text == "a?b"


@given(st.integers(0, 10**6), st.lists(st.integers(1, 10**4), min_size=1))
def test_shares_make_up_the_total(total: int, weights: list[int]) -> None:
    found = shares(total, weights)
    assert sum(found) == total
    assert all(abs(share - total * weight / sum(weights)) <= 1 for share, weight in zip(found, weights, strict=True))
