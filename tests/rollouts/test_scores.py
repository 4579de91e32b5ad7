import json
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollouts.made_up_json import ROWS, VALUES, spoiled_lines

from curriculum_verl.rollouts.content import ContentReader
from curriculum_verl.rollouts.fields import ROLES, parse_fields
from curriculum_verl.rollouts.scores import LineError, Scored, ScoreReader

READ = ScoreReader(ROLES)
CONTENT = ContentReader(ROLES)
DUMP = {"input": "user\n2+2?\nassistant\n", "output": "4", "gts": "4", "score": 0.5, "step": 7}
FIELDS = ["id=meta.uid", "reward=info.scores", "score=value", "prompt=text"]
STRANGE_FIELDS = [*FIELDS, "id=prompt", "score=reward", "reward=score", "prompt=input", "ground_truth=extra_info.a",
    "response=reward", "id=extra_info.index", "prompt=messages.content", "data_source=id"]  # fmt: skip


def text(row: object) -> bytes:
    return row if isinstance(row, bytes) else json.dumps(row).encode()


def read(row: object, *fields: str) -> Scored:
    return ScoreReader(parse_fields(fields))(text(row))


def refused(row: object, *fields: str) -> LineError:
    with pytest.raises(LineError) as caught:
        read(row, *fields)
    return caught.value


@pytest.mark.parametrize(
    ("reward", "scores"),
    [
        ([{"score": 0, "V_i": 0.0}, {"score": 1.25, "V_i": 0.25, "extra": {"score": 9}}], [0.0, 1.25]),
        ([{"V_i": [{"score": 8}], "score": -3}], [-3.0]),
        ([1, 0.5, 0], [1.0, 0.5, 0.0]),
        ([1, {"score": 0.5}], [1.0, 0.5]),
        ([1e150, -1e150], [1e150, -1e150]),
        ([12345678901234567890123], [1.2345678901234568e22]),
    ],
)
def test_rewards_are_objects_or_numbers(reward, scores):
    found = read({"num": 1, "reward": reward})
    assert found.scores == scores
    assert all(type(score) is float for score in found.scores)
    assert (found.part, found.format) == (False, "rollouts")


@pytest.mark.parametrize(
    "more",
    [
        {}, {"acc": True, "pred": "4", "uid": "7-1"}, {"reward": 0.5}, {"reward": None}, {"reward": "x"},
        {"reward": True}, {"reward": {"format": 1}}, {"prompt": 5, "messages": None}, {"num": 0.5}, {"id": "same"},
    ],
)  # fmt: skip
def test_a_dump_of_verl_is_one_response_of_its_prompt(more):
    found = read(DUMP | more)
    assert (found.scores, found.part, found.format) == ([0.5], True, "verl dump")
    assert found.key == read(DUMP | {"output": "five", "score": 1}).key
    assert found.key != read(DUMP | {"input": "user\n2+3?\nassistant\n"}).key


def test_a_list_of_rewards_makes_rollouts_of_a_line_that_looks_like_a_dump():
    found = read(DUMP | {"id": 1, "reward": [1, 0]})
    assert (found.scores, found.part) == ([1.0, 0.0], False)


@pytest.mark.parametrize("score", ["n/a", None, [1, 0], {"a": 1}, True, 10**400])
def test_a_score_beside_the_rewards_may_be_anything(score):
    assert read({"id": 1, "reward": [1], "score": score}).scores == [1.0]


@pytest.mark.parametrize(
    ("row", "fields", "scores"),
    [
        ({"id": 1, "scores": [1, 0]}, ["reward=scores"], [1.0, 0.0]),
        ({"id": 1, "score": [1, 0]}, ["reward=score"], [1.0, 0.0]),
        ({"id": 1, "meta": {"scores": [{"value": 1}]}}, ["reward=meta.scores", "score=value"], [1.0]),
        ({"id": 1, "reward": [{"detail": {"total": {"score": 2}}}, 3]}, ["score=detail.total.score"], [2.0, 3.0]),
        (DUMP | {"acc": 1}, ["score=acc"], [1.0]),
        (DUMP | {"info": {"acc": 0.25}}, ["score=info.acc"], [0.25]),
        (DUMP | {"reward": 0.75}, ["score=reward"], [0.75]),
    ],
)
def test_fields_may_have_other_names(row, fields, scores):
    assert read(row, *fields).scores == scores


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        (b'{"id": 1, "reward": [1', "not_json", "is not JSON: Input data was truncated"),
        (b'{"id": 1, "reward": [1]} {}', "not_json", "is not JSON: .*trailing characters"),
        (b"id,reward", "not_json", "is not JSON"),
        (b'{"id": 1, "text": "say [NaN, 1]', "not_json", "truncated"),
        (b'\xef\xbb\xbf{"id": 1, "reward": [1]}', "not_json", "is not JSON"),
        (b"\0\0\0", "not_json", "is not JSON"),
        (b'{"id": 1, "reward": [1], "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "not_json", "nested too deeply"),
        (b'{"reward": [1], "prompt": ' + b'{"a":' * 200_000 + b"1" + b"}" * 200_001, "not_json", "nested too deeply"),
        (b'{"id": "\xff\xfe", "reward": [1]}', "not_utf8", "is not UTF-8: invalid start byte at byte 9"),
        (b'{"id": "\\ud800", "reward": [1]}', "not_utf8", r"half of a surrogate pair, such as \\ud800"),
        (b'{"id": 1, "reward": [1], "text": "\\udc00\\ud800 and more"}', "not_utf8", "half of a surrogate pair"),
        (b'{"id": 1, "reward": [NaN]}', "not_finite", "holds NaN, which is no JSON; expected finite numbers"),
        (b'{"id": 1, "reward": [{"score":-Infinity}]}', "not_finite", "holds -Infinity"),
        (b'{"id":1,"x":Infinity,"reward":[1]}', "not_finite", "holds Infinity"),
        ({"id": 1, "reward": [1e151]}, "not_finite", r"got scores \[1e\+151\], expected numbers of at most 1e\+150"),
        ({"id": 1, "reward": [0, -1e200]}, "not_finite", "expected numbers of at most"),
        ({"id": 1, "reward": [10**400]}, "bad_score", r"out of range - at `\$\.reward\[0\]`"),
        (b'{"id": 1, "reward": [1e999]}', "bad_score", r"out of range - at `\$\.reward\[0\]`"),
        ({"id": 1, "reward": [1, None]}, "bad_score", r"got `null` - at `\$\.reward\[1\]`"),
        ({"id": 1, "reward": ["1"]}, "bad_score", r"got `str` - at `\$\.reward\[0\]`"),
        ({"id": 1, "reward": [True]}, "bad_score", "got `bool`"),
        ({"id": 1, "reward": [[1]]}, "bad_score", "got `array`"),
        ({"id": 1, "reward": [{}]}, "bad_score", "missing required field `score`"),
        ({"id": 1, "reward": [{"score": None}]}, "bad_score", r"got `null` - at `\$\.reward\[0\]\.score`"),
        ({"id": 1, "reward": [{"score": "0.5"}]}, "bad_score", r"got `str` - at `\$\.reward\[0\]\.score`"),
        ({"id": 1, "reward": []}, "no_responses", "got an empty list of rewards, expected at least one"),
        ({"id": 1, "reward": None}, "no_reward", r"got null for rewards; expected reward: \[\{score: \.\.\.\}, "),
        ({"id": 1}, "no_reward", "got no rewards; expected reward"),
        ({"id": 1, "score": 1, "input": "x"}, "no_reward", "or verl's dump"),
        ({"id": 1, "reward": 0.5}, "wrong_type", "got 0.5 for the rewards; expected reward"),
        ({"id": 1, "reward": "0.5"}, "wrong_type", "got '0.5' for the rewards"),
        ({"id": 1, "reward": {"score": 1}}, "wrong_type", "got {'score': 1.*} for the rewards"),
        ({"id": 1, "reward": True}, "wrong_type", "got True for the rewards"),
        ({"id": 1, "reward": "x" * 10_000}, "wrong_type", r"got 'x{56}\.\.\. for the rewards"),
        ({"reward": [1]}, "no_id", "got neither an id nor a prompt, expected one of them"),
        ({"reward": [1], "id": None, "prompt": None}, "no_id", "got neither"),
        ({"id": [1], "reward": [1]}, "wrong_type", r"got \[1\] for the id in id, expected text or a number"),
        ({"id": True, "reward": [1]}, "wrong_type", "got True for the id in id"),
        ([{"id": 1, "reward": [1]}], "wrong_type", "Expected `object`, got `array`"),
        (b"1", "wrong_type", "Expected `object`, got `int`"),
        (b"null", "wrong_type", "got `null`"),
        (DUMP | {"score": None}, "bad_score", "got 'null' for the score, expected a finite number"),
        (DUMP | {"score": "1"}, "bad_score", "got '\"1\"' for the score"),
        (DUMP | {"score": [1]}, "bad_score", "expected a finite number"),
        (DUMP | {"score": True}, "bad_score", "got 'true' for the score"),
        (DUMP | {"score": 10**400}, "bad_score", r"got '10{55}\.\.\. for the score"),
        (DUMP | {"score": 1e200}, "not_finite", "expected numbers of at most"),
        (DUMP | {"input": None}, "no_prompt", "got null for input, expected the prompt's text"),
    ],
)  # fmt: skip
def test_a_bad_line_has_a_reason_and_a_message(row, reason, message):
    error = refused(row)
    assert error.reason == reason
    assert re.search(message, str(error)), str(error)
    assert len(str(error)) < 250
    with pytest.raises(LineError) as caught:
        CONTENT.rollout(text(row))
    assert (caught.value.reason, str(caught.value)) == (reason, str(error))


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        (
            {"meta": {"uid": 1}, "info": {"scores": [{"value": None}]}},
            "bad_score",
            r"at `\$\.info\.scores\[0\]\.value`",
        ),
        ({"meta": {"uid": 1}, "info": {"scores": [{"score": 1}]}}, "bad_score", "missing required field `value`"),
        ({"meta": {"uid": 1}, "info": {"scores": []}}, "no_responses", "empty list"),
        ({"meta": {"uid": 1}, "info": [1]}, "no_reward", r"expected info\.scores: \[\{value: \.\.\.\}"),
        ({"meta": {"uid": 1}, "reward": [1]}, "no_reward", r"expected info\.scores"),
        ({"meta": {"uid": [1]}, "info": {"scores": [1]}}, "wrong_type", r"got \[1\] for the id in meta\.uid"),
        ({"meta": {}, "info": {"scores": [1]}}, "no_id", r"got no id in meta\.uid, the field that --fields names"),
        ({"reward_id": 1, "meta": "{", "info": {"scores": [1]}, "id": 1, "prompt": "x"}, "no_id", "got no id"),
    ],
)
def test_bad_lines_are_told_with_the_names_of_the_user(row, reason, message):
    error = refused(row, *FIELDS)
    assert error.reason == reason
    assert re.search(message, str(error)), str(error)


def test_a_field_whose_name_is_like_that_of_the_rewards_is_not_taken_for_them():
    assert refused({"reward_id": [1], "reward": [1]}, "id=reward_id").reason == "wrong_type"
    assert refused({"r": [{}], "id": 1}, "reward=r", "score=s").reason == "bad_score"


def test_the_first_id_that_a_line_has_counts():
    def key(**row: object) -> int:
        return read({"reward": [1]} | row).key

    assert key(id=1, key="a", num=2) == key(id="1", prompt="other") == key(id=1)
    assert key(key="a", num=2) == key(id=None, key="a", num=3, prompt="x")
    assert key(key="a", num=[2]) == key(key="a"), "what comes after it may be anything"
    assert len({key(id=1), key(key=1), key(num=1), key(prompt="1"), key(num=1.5), key(id=2)}) == 6
    assert key(prompt="a", messages="b") == key(prompt="a") == key(prompt=None, messages="a")


def test_lines_without_a_prompt_are_not_taken_for_one_prompt():
    """The columns of parquet are there in every row, and null."""
    one, other = ({"reward": [1], "prompt": None, "messages": [{"role": "user", "content": c}]} for c in "ab")
    assert read(one).key != read(other).key


@given(VALUES.filter(lambda value: value is not None), st.randoms())
def test_the_key_is_of_the_prompt_however_it_is_written(prompt, moments):
    def shuffled(value):
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in moments.sample(sorted(value), len(value))}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    lines = (
        json.dumps({"prompt": prompt, "reward": [1]}).encode(),
        json.dumps({"reward": [0, 1], "x": 1, "prompt": shuffled(prompt)}, ensure_ascii=False).encode(),
        json.dumps({"prompt": shuffled(prompt), "reward": [1]}, separators=(" ,\t", ":  "), indent=1).encode(),
    )
    try:
        key = READ(lines[0]).key
    except LineError:
        assert re.search("e[+]?[0-9]{3}|[0-9]{300}", json.dumps(prompt)), "but for numbers that are out of range"
        return
    assert [READ(line).key for line in lines] == [key] * 3


def outcome(read, line: bytes) -> tuple[str, object]:
    try:
        found = read(line)
    except LineError as error:
        return "refused", error.reason
    return "read", (found.key, found.scores, found.part)


@given(ROWS.map(lambda row: json.dumps(row).encode()) | spoiled_lines() | st.binary())
def test_any_line_is_read_or_refused_and_both_readers_agree(line):
    what, found = outcome(READ, line)
    if what == "read":
        assert found[1]
        assert all(type(score) is float for score in found[1])
    whole, with_content = outcome(CONTENT.rollout, line)
    if whole == "read":
        assert (what, found) == (whole, with_content)
    elif what == "read":
        assert with_content in {"no_prompt", "wrong_type", "not_text", "responses_do_not_match", "not_utf8", "not_json"}


@given(ROWS.map(lambda row: json.dumps(row).encode()), st.lists(st.sampled_from(STRANGE_FIELDS), max_size=4))
def test_any_choice_of_fields_reads_or_refuses(line, fields):
    chosen = parse_fields(fields)
    what, found = outcome(ScoreReader(chosen), line)
    whole, with_content = outcome(ContentReader(chosen).rollout, line)
    assert whole == "refused" or with_content == found
    assert what == "read" or whole == "refused"


@pytest.mark.parametrize(
    ("row", "name"),
    [({"id": 5}, "id '5'"), ({"key": "a b"}, "key 'a b'"), ({"prompt": "x"}, "the same prompt, without an id,")],
)
def test_a_prompt_has_a_name_in_messages(row, name):
    assert READ.named(text(row)) == name


def test_an_error_comes_through_between_processes_as_it_is():
    error = pickle.loads(pickle.dumps(refused({"id": 1, "reward": []})))
    assert (error.reason, str(error)) == ("no_responses", "got an empty list of rewards, expected at least one")
