"""Prompts out of lines: verl's rows, rollouts, plain tasks; what is wrong with a line is said with a reason."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.generation.prompts import Prompt, PromptReader, read_chat
from curriculum_verl.preprocessing.original import original_extra
from curriculum_verl.rollouts.fields import ROLES, parse_fields
from curriculum_verl.rollouts.scores import LineError

USER = {"role": "user", "content": "2+2=?"}


def read(row: Any, fields: list[str] = []) -> Prompt:  # noqa: B006 - it is not changed
    return PromptReader(parse_fields(fields))(json.dumps(row).encode(), ("data.jsonl", 7))


def test_a_line_with_text() -> None:
    prompt = read({"id": 3, "prompt": "2+2=?", "ground_truth": "4", "data_source": "sums"})
    expected = Prompt("3", [USER], "4", data_source="sums", place=("data.jsonl", 7))
    assert prompt == expected


def test_a_row_of_verl() -> None:
    row = {
        "data_source": "openai/gsm8k",
        "prompt": [{"role": "system", "content": "Be short."}, USER],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "4"},
        "extra_info": {"index": 5, "id": "g-5"},
    }
    prompt = read(row)
    assert (prompt.id, prompt.ground_truth, prompt.style) == ("g-5", "4", "rule")
    assert (prompt.ability, prompt.data_source, prompt.extra["index"]) == ("math", "openai/gsm8k", 5)
    assert prompt.text == "Be short.\n2+2=?"


def test_a_row_of_preprocessed_data_gives_back_what_rollouts_had() -> None:
    row = {
        "prompt": [USER],
        "reward_model": {"style": "rule", "ground_truth": '["4", "four"]', "ground_truth_format": "json"},
        "extra_info": {"id": "a", "curriculum_stage": "easy", "original": '{"level": 2}'},
    }
    prompt = read(row)
    assert prompt.ground_truth == '["4", "four"]', "a verifier gets what the trainer's gets"
    assert prompt.truth == ["4", "four"]
    assert original_extra(prompt.extra) == {"level": 2}


def test_any_other_extra_info_is_given_back_as_it_is() -> None:
    for own in ({"original": "a text of the user's"}, {"original": "no json", "curriculum_stage": "easy"}):
        assert original_extra(own) == own


def test_a_rollout_is_asked_without_the_response_that_was_logged() -> None:
    said = [USER, {"role": "assistant", "content": "5"}]
    prompt = read({"messages": said, "reward": [0.0], "ground_truth": {"answer": 4}})
    assert prompt.messages == [USER]
    assert prompt.truth == {"answer": 4}


def test_without_an_id_the_prompt_itself_is_one() -> None:
    one, same, other = (
        read({"prompt": "a"}),
        read({"prompt": [{"role": "user", "content": "a"}]}),
        read({"prompt": "b"}),
    )
    assert one.id == same.id != other.id


def test_fields_of_the_users_own() -> None:
    prompt = read({"question": "1+1=?", "meta": {"a": 2}, "prompt": 3}, ["prompt=question", "ground_truth=meta.a"])
    assert (prompt.text, prompt.truth) == ("1+1=?", 2)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"ground_truth": "4"}, "no_prompt"),
        ({"prompt": [{"role": "user", "content": "  "}]}, "no_prompt"),
        ({"prompt": [{"content": "a"}]}, "wrong_type"),
        ({"prompt": [{"role": "user", "content": [{"type": "image", "image": "x"}]}]}, "not_text"),
        ({"prompt": "a", "id": ["b"]}, "wrong_type"),
        ({"prompt": "a", "extra_info": [1]}, "wrong_type"),
        ({"prompt": "a", "data_source": 1}, "wrong_type"),
        ({"prompt": "a", "reward_model": {"ground_truth": "{", "ground_truth_format": "json"}}, "wrong_type"),
        ([1], "wrong_type"),
    ],
)
def test_what_is_wrong_with_a_line(row: Any, reason: str) -> None:
    with pytest.raises(LineError) as caught:
        read(row)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("line", "reason"), [(b"{", "not_json"), (b'{"prompt": NaN}', "not_finite"), (b"\xff", "not_utf8")]
)
def test_what_is_no_json(line: bytes, reason: str) -> None:
    with pytest.raises(LineError) as caught:
        PromptReader(ROLES)(line, ("f", 1))
    assert caught.value.reason == reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "a"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*ROLES, "reward_model", "messages", "tools"]), JSON))
def test_any_line_is_a_prompt_or_a_line_error(row: dict[str, Any]) -> None:
    try:
        prompt = read(row)
    except LineError:
        return
    assert prompt.text.strip()
    assert prompt.identity() == read(row).identity()


def test_parts_of_text_are_put_together() -> None:
    assert read_chat([{"role": "user", "content": [{"type": "text", "text": "a"}, "b"]}])[0]["content"] == "ab"
