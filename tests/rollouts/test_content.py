import json
import re

import pytest
from hypothesis import given
from rollouts.made_up_json import VALUES

from curriculum_verl.rollouts.content import ContentReader, Rollout
from curriculum_verl.rollouts.fields import parse_fields
from curriculum_verl.rollouts.scores import LineError

USER = {"role": "user", "content": "2+2?"}
DUMP = {"input": "user\n2+2?", "output": "4", "gts": "4", "score": 0.5, "step": 7}


def read(row: object, *fields: str) -> Rollout:
    return ContentReader(parse_fields(fields)).rollout(row if isinstance(row, bytes) else json.dumps(row).encode())


def rollout(**row: object) -> Rollout:
    return read({"id": 1, "prompt": "2+2?", "reward": [1, 0]} | row)


def refused(row: object, *fields: str) -> LineError:
    with pytest.raises(LineError) as caught:
        read(row, *fields)
    return caught.value


def test_all_that_the_guide_shows_is_read():
    row = {
        "num": 4127,
        "prompt": [{"role": "system", "content": "Be brief."}, USER],
        "response": {"choices": [{"message": {"role": "assistant", "content": c}, "index": 0} for c in ("4", "5")]},
        "reward": [{"score": 1.25, "V_i": 0.25}, {"score": 0, "V_i": 0.0}],
        "parameters": {"n": 2},
        "key": "k4127",
        "messages": [USER],
        "ground_truth": '{"instruction_id_list": ["a"], "kwargs": [{}]}',
        "extra_info": {"split": "train", "index": 7},
        "data_source": "ifeval",
        "ability": "math",
    }
    found = read(row)
    assert found == Rollout(
        key=found.key,
        id="k4127",
        part=False,
        messages=row["prompt"],
        scores=[1.25, 0.0],
        responses=["4", "5"],
        ground_truth='{"instruction_id_list": ["a"], "kwargs": [{}]}',
        ground_truth_is_json=False,
        data_source="ifeval",
        ability="math",
        extra_info='{"split": "train", "index": 7}',
    )


def test_a_line_of_a_dump_is_one_response_of_its_prompt():
    found = read(DUMP | {"acc": True, "reward": 0.25, "data_source": "gsm8k", "extra_info": None})
    assert found.part
    assert found.messages == [{"role": "user", "content": "user\n2+2?"}]
    assert (found.scores, found.responses, found.ground_truth, found.ground_truth_is_json) == ([0.5], ["4"], "4", False)
    assert (found.data_source, found.ability, found.extra_info) == ("gsm8k", None, None)
    assert found.id == f"{found.key:016x}"
    assert read(DUMP | {"id": 9}).id == "9"
    assert read(DUMP | {"output": None}).responses == [""]


def test_a_dump_whose_ground_truth_stands_elsewhere():
    assert read(DUMP | {"answer": {"a": 1}}, "ground_truth=answer").ground_truth == '{"a": 1}'
    assert read(DUMP | {"gts": None, "reward_model": {"ground_truth": "x"}}).ground_truth == "x"
    assert read({key: DUMP[key] for key in ("input", "output", "score")}).ground_truth is None
    assert read(DUMP | {"gts": None}).ground_truth is None


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"prompt": "2+2?"}, [USER]),
        ({"prompt": None, "messages": [USER]}, [USER]),
        ({"messages": "2+2?"}, [USER]),
        ({"prompt": [USER], "messages": [{"role": "user", "content": "other"}]}, [USER]),
        ({"prompt": [USER | {"name": "x", "tool_calls": None}]}, [USER]),
        ({"messages": [USER, {"role": "assistant", "content": "4"}]}, [USER]),
        ({"messages": [USER, {"role": "assistant", "content": None}, {"role": "assistant"}]}, [USER]),
        (
            {"messages": [USER, {"role": "assistant", "content": "4"}, {"role": "user", "content": "sure?"}]},
            [USER, {"role": "assistant", "content": "4"}, {"role": "user", "content": "sure?"}],
        ),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, [{"role": "assistant", "content": "hi"}]),
        ({"prompt": [{"role": "user", "content": [{"type": "text", "text": "2+"}, "2", {"text": "?"}]}]}, [USER]),
        ({"prompt": "é \u2028 \U0001f600 \0"}, [{"role": "user", "content": "é \u2028 \U0001f600 \0"}]),
    ],
)
def test_prompts_are_text_or_messages(row, messages):
    found = read({"id": 1, "reward": [1]} | row)
    assert found.messages == messages
    assert found.responses == []


@pytest.mark.parametrize(
    ("response", "texts"),
    [
        ({"choices": ["a", "b"]}, ["a", "b"]),
        ({"choices": [{"message": {"content": "a"}}, "b"]}, ["a", "b"]),
        ({"choices": [{"text": "a"}, {"message": {"role": "assistant", "content": "b"}, "text": "no"}]}, ["a", "b"]),
        ({"choices": [{"message": {"content": None, "tool_calls": [1]}}, {"text": ""}]}, ["", ""]),
        ({"choices": [{"message": {}}, {"message": None, "text": "b"}]}, ["", "b"]),
        ({"choices": [{"message": {"content": [{"type": "text", "text": "a"}, "!"]}}, "b"]}, ["a!", "b"]),
        ([{"role": "assistant", "content": "a"}, {"content": ["b"]}], ["a", "b"]),
        (["a", "b"], ["a", "b"]),
        ({"choices": []}, []),
        ({"model": "m"}, []),
        ([], []),
        (None, []),
    ],
)
def test_responses_have_many_forms(response, texts):
    assert rollout(response=response).responses == texts


def test_one_response_may_be_text_alone():
    assert read({"id": 1, "prompt": "x", "reward": [1], "response": "four"}).responses == ["four"]
    assert read({"id": 1, "prompt": "x", "reward": [1, 0], "responses": ["a", "b"]}).responses == ["a", "b"]
    assert read({"id": 1, "prompt": "x", "reward": [1, 0], "out": ["a", "b"]}, "response=out").responses == ["a", "b"]


@pytest.mark.parametrize(
    ("truth", "text", "is_json"),
    [
        (b'"4"', "4", False),
        (b'""', "", False),
        (b'"{\\"a\\": 1}"', '{"a": 1}', False),
        (b'"null"', "null", False),
        (b'"\\u00e9\\n\\ud83d\\ude00"', "é\n\U0001f600", False),
        (b' {"b" : 1.0, "a": [ ]}', '{"b" : 1.0, "a": [ ]}', True),
        (b"{}", "{}", True),
        (b'["a"]', '["a"]', True),
        (b"4.50", "4.50", True),
        (b"123456789012345678901234567890", "123456789012345678901234567890", True),
        (b"1e999", "1e999", True),
        (b"-0", "-0", True),
        (b"true", "true", True),
        (b"null", None, False),
    ],
)
def test_the_ground_truth_is_text_as_it_stands(truth, text, is_json):
    found = read(b'{"id":1,"prompt":"x","reward":[1],"ground_truth":%s}' % truth)
    assert (found.ground_truth, found.ground_truth_is_json) == (text, is_json)
    found = read(b'{"id":1,"prompt":"x","reward":[1],"ground_truth":null,"reward_model":{"ground_truth":%s}}' % truth)
    assert (found.ground_truth, found.ground_truth_is_json) == (text, is_json)


@given(VALUES)
def test_any_ground_truth_round_trips(value):
    found = rollout(ground_truth=value)
    if isinstance(value, str) or value is None:
        assert (found.ground_truth, found.ground_truth_is_json) == (value, False)
    else:
        assert found.ground_truth_is_json
        assert json.loads(found.ground_truth) == value


@given(VALUES)
def test_any_extra_info_round_trips_as_json(value):
    found = rollout(extra_info=value).extra_info
    assert value is None if found is None else json.loads(found) == value


def test_null_is_as_if_it_were_not_there():
    found = rollout(data_source=None, ability=None, extra_info=None, response=None, ground_truth=None)
    assert found == rollout()


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        ({"prompt": None}, "no_prompt", "got no prompt, expected text or messages in prompt or messages"),
        ({"prompt": ""}, "no_prompt", "got no prompt"),
        ({"prompt": []}, "no_prompt", "got no prompt"),
        ({"prompt": 5}, "wrong_type", r"got `int` - at `\$\.prompt`"),
        ({"prompt": {"role": "user"}}, "wrong_type", r"got `object` - at `\$\.prompt`"),
        ({"prompt": ["2+2?"]}, "wrong_type", r"got `str` - at `\$\.prompt\[0\]`"),
        ({"prompt": [{"content": "x"}]}, "wrong_type", "got a message without a role, expected role and content"),
        ({"prompt": [{"role": None, "content": "x"}]}, "wrong_type", r"got `null` - at `\$\.prompt\[0\]\.role`"),
        ({"prompt": [{"role": "user"}]}, "wrong_type", "got a message without content, expected role and content"),
        ({"prompt": [USER, {"role": "tool", "content": None}]}, "wrong_type", "without content"),
        ({"prompt": [{"role": "user", "content": 5}]}, "wrong_type", r"got `int` - at `\$\.prompt\[0\]\.content`"),
        (
            {"prompt": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "not_text",
            "got a message part of type 'image_url' without text, expected text only",
        ),
        ({"response": 5}, "wrong_type", r"got `int` - at `\$\.response`"),
        ({"response": {"choices": "a"}}, "wrong_type", r"got `str` - at `\$\.response\.choices`"),
        ({"response": [None, "a"]}, "wrong_type", r"got `null` - at `\$\.response\[0\]`"),
        ({"response": [{"delta": "a"}, "b"]}, "wrong_type", r"got a response without text, expected message\.content"),
        ({"response": [{"message": {"content": [{"type": "image"}]}}, "b"]}, "not_text", "type 'image' without text"),
        ({"response": ["a"]}, "responses_do_not_match", "got 1 responses and 2 rewards, expected as many of each"),
        ({"response": "a"}, "responses_do_not_match", "got 1 responses and 2 rewards"),
        ({"response": ["a", "b", "c"]}, "responses_do_not_match", "got 3 responses and 2 rewards"),
        ({"data_source": 5}, "wrong_type", r"got `int` - at `\$\.data_source`"),
        ({"ability": ["math"]}, "wrong_type", r"got `array` - at `\$\.ability`"),
        (DUMP | {"reward": None, "input": ""}, "no_prompt", "got no prompt, expected its text in input"),
        (DUMP | {"reward": None, "input": [USER]}, "wrong_type", r"got `array` - at `\$\.input`"),
        (DUMP | {"reward": None, "output": ["4"]}, "wrong_type", r"got `array` - at `\$\.output`"),
    ],
)
def test_a_line_that_is_no_rollout_has_a_reason_and_a_message(row, reason, message):
    error = refused({"id": 1, "prompt": "2+2?", "reward": [1, 0]} | row)
    assert error.reason == reason
    assert re.search(message, str(error)), str(error)


@pytest.mark.parametrize("field", ["prompt", "ground_truth", "extra_info", "response", "data_source", "unknown"])
def test_half_a_surrogate_pair_is_refused_wherever_it_stands(field):
    error = refused({"id": 1, "prompt": "2+2?", "reward": [1, 0]} | {field: "\ud800"})
    assert error.reason == "not_utf8"


@pytest.mark.parametrize("field", [b"prompt", b"ground_truth", b"extra_info", b"response"])
def test_bytes_that_are_no_text_are_refused(field):
    assert refused(b'{"id": 1, "messages": "x", "reward": [1], "%s": "\xff"}' % field).reason == "not_utf8"


@pytest.mark.parametrize("field", ["prompt", "ground_truth", "extra_info", "unknown"])
@pytest.mark.parametrize(("left", "right"), ["[]", ('{"a":', "}")])
def test_what_is_nested_too_deeply_is_refused(field, left, right):
    deep = left * 100_000 + "1" + right * 100_000
    assert refused(f'{{"id": 1, "messages": "x", "reward": [1], "{field}": {deep}}}'.encode()).reason == "not_json"


def test_roles_may_share_a_field():
    row = {"prompt": "2+2?", "reward": [1], "answer": "4", "response": ["a"]}
    found = read(row, "id=prompt", "ground_truth=answer", "data_source=answer", "extra_info=response")
    assert (found.id, found.ground_truth, found.data_source, found.extra_info) == ("2+2?", "4", "4", '["a"]')
    assert (found.messages, found.responses) == ([USER], ["a"])


def test_a_dot_leads_into_an_object():
    row = {"meta": {"id": 7, "q": [USER], "out": {"choices": ["a"]}, "truth": {"x": [1]}, "r": [{"s": {"v": 1}}]}}
    fields = [
        "id=meta.id",
        "prompt=meta.q",
        "response=meta.out",
        "ground_truth=meta.truth",
        "reward=meta.r",
        "score=s.v",
    ]
    found = read(row, *fields, "extra_info=meta.truth.x", "ability=meta.none")
    assert (found.id, found.messages, found.responses, found.scores) == ("7", [USER], ["a"], [1.0])
    assert (found.ground_truth, found.extra_info, found.ability) == ('{"x": [1]}', "[1]", None)


def test_lines_of_a_prompt_are_joined_in_order():
    one, two = read(DUMP), read(DUMP | {"output": "5", "score": 0})
    both = one.joined(two)
    assert (both.scores, both.responses, both.key) == ([0.5, 0.0], ["4", "5"], one.key)
    assert (one.scores, one.responses) == ([0.5], ["4"]), "the first is not changed"
    bare = rollout(reward=[1])
    assert bare.joined(bare).responses == []
    assert bare.joined(rollout(reward=[0], response="a")).responses == []


@pytest.mark.parametrize("prompt", ["", "  ", [{"role": "user", "content": ""}], [{"role": "user", "content": []}]])
def test_a_prompt_without_a_word_is_none(prompt):
    with pytest.raises(LineError) as caught:
        read({"id": 1, "reward": [1], "prompt": prompt})
    assert caught.value.reason == "no_prompt"
