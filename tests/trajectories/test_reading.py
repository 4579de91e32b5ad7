"""What is read of a line: the same trajectory in every format, traps as they are marked, and reasons for refusal."""

import json

import pytest

from curriculum_verl.rollouts.scores import LineError
from curriculum_verl.trajectories.reading import TrajectoryReader
from curriculum_verl.trajectories.settings import Scoring, trajectory_settings

CALL = {"function": {"name": "ZOOM_IN", "arguments": '{"x": 1}'}}
SAID = "I look at the left."
ASKED = "How many?"


def read(row, **scoring):
    return TrajectoryReader(trajectory_settings(Scoring(**scoring))).sample(json.dumps(row).encode())


@pytest.mark.parametrize(
    ("name", "row"),
    [
        (
            "chat",
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": ASKED}]},
                    {"role": "assistant", "content": SAID, "tool_calls": [CALL]},
                    {"role": "tool", "content": "ZOOM_IN(x=9)"},
                    {"role": "assistant", "content": None, "tool_calls": None},
                ]
            },
        ),
        ("cota", {"question": ASKED, "trajectory": [{"thought": SAID, "action": "ZOOM_IN", "arguments": {"x": 1}}]}),
        ("cota", {"prompt": ASKED, "trajectory": [SAID, {"operation": "ZOOM_IN(x=1)", "observation": "a cat"}]}),
        ("cota", {"prompt": [{"role": "user", "content": ASKED}], "trajectory": f"{SAID}\nZOOM_IN(x=1)"}),
        ("prompt and response", {"prompt": ASKED, "response": f"{SAID}\nZOOM_IN(x=1)"}),
    ],
)
def test_every_format_gives_the_same_trajectory(name, row):
    _, found, sample = read(row | {"reward": [{"of": "any shape"}]})
    [operation] = sample.trajectory.operations
    assert found == name
    assert sample.prompt.strip() == ASKED
    assert sample.trajectory.steps == (SAID,)
    assert (operation.name, operation.arguments, operation.fault) == ("ZOOM_IN", '{"x":1}', None)


@pytest.mark.parametrize(
    ("more", "answered"),
    [
        ({}, ""),
        ({"answer": 3}, "\n<answer>3</answer>"),
        ({"final_answer": "a cat"}, "\n<answer>a cat</answer>"),
        ({"response": "<answer>2</answer>", "answer": "3"}, None),
    ],
)
def test_what_is_no_chat_becomes_one_with_its_answer_at_the_end(more, answered):
    system = {"role": "system", "content": "Look."}
    prompt = [system, {"role": "user", "content": [{"type": "text", "text": ASKED}]}]
    _, _, sample = read({"prompt": prompt, "response": SAID} | more)
    said = more["response"] if answered is None else SAID + answered
    user = {"role": "user", "content": ASKED}
    assert sample.chat == [system, user, {"role": "assistant", "content": said}]
    assert read({"messages": sample.chat})[2].chat is None
    assert read({"response": SAID})[2].chat is None, "nothing was asked"


@pytest.mark.parametrize(
    ("marks", "trap"),
    [
        ({}, False),
        ({"trap": True}, True),
        ({"trap": None, "is_trap": True}, True),
        ({"trap": False}, False),
        ({"sample_type": "perceptual_trap"}, True),
        ({"sample_type": "Trap"}, True),
        ({"sample_type": "trapezoid"}, False),
        ({"sample_type": "non_trap"}, False),
        ({"sample_type": "no trap"}, False),
        ({"sample_type": "Not a trap."}, False),
        ({"sample_type": "NonTrap"}, False),
        ({"sample_type": "nontrap"}, False),
        ({"sample_type": "PerceptualTrap"}, True),
        ({"sample_type": "yes"}, False),
        ({"trap": "true"}, True),
        ({"trap": "False"}, False),
        ({"is_trap": "yes"}, True),
        ({"is_trap": "no"}, False),
        ({"trap": "no_trap"}, False),
        ({"trap": "", "sample_type": " "}, False),
        ({"trap": False, "sample_type": "perceptual_trap"}, True),
        ({"trap": "no", "is_trap": True}, True),
        ({"trap": True, "sample_type": "non_trap"}, True),
    ],
)
def test_a_trap_is_what_is_marked_as_one(marks, trap):
    assert read({"trajectory": "It is a trap."} | marks)[2].trap is trap


def test_samples_are_told_apart_by_id_or_else_by_prompt_and_trajectory():
    def key(**row):
        return read(row)[0]

    assert key(id=1, trajectory="a") == key(id=1, trajectory="b") != key(id=2, trajectory="a")
    assert key(prompt="p", trajectory="a") == key(prompt="p", trajectory="a", task_type="t")
    assert len({key(prompt="p", trajectory="a"), key(prompt="p", trajectory="b"), key(prompt="q", trajectory="a")}) == 3


@pytest.mark.parametrize(
    ("row", "reason", "said"),
    [
        ({"prompt": ASKED}, "no_trajectory", "expected it in trajectory or messages or response"),
        ({"messages": [{"role": "user", "content": ASKED}]}, "no_trajectory", "got nothing that a model said"),
        ({"trajectory": []}, "no_trajectory", "got nothing"),
        ({"trajectory": ["a", {"observation": "x"}]}, "wrong_type", "step 2 without a text or call"),
        ({"trajectory": [{"thought": 7}]}, "wrong_type", "$.trajectory[0].thought"),
        ({"trajectory": "a", "trap": 1}, "wrong_type", "$.trap"),
        (
            {"trajectory": "a", "trap": "maybe"},
            "trap_mark",
            "trap: got 'maybe', expected true, false, or a text such as",
        ),
        ({"trajectory": "a", "is_trap": "unsure"}, "trap_mark", "is_trap: got 'unsure'"),
        ({"trajectory": "a", "trap": True, "sample_type": "not_easy_trap"}, "trap_mark", "sample_type: got"),
        (
            {"messages": [{"role": "assistant", "content": SAID}, {"role": "user", "content": "ok"}]},
            "unanswered",
            "got a chat that ends with a message of user, expected one of the assistant",
        ),
        (
            {"trajectory": SAID, "messages": [{"role": "user", "content": ASKED}]},
            "unanswered",
            "got a chat that ends with a message of user",
        ),
        ({"trajectory": "a", "id": [1]}, "wrong_type", "for the id in id"),
        (["a"], "wrong_type", "Expected `object`"),
    ],
)
def test_a_line_that_cannot_be_used_says_why(row, reason, said):
    with pytest.raises(LineError) as error:
        read(row)
    assert error.value.reason == reason
    assert said in str(error.value)


def test_fields_may_have_other_names_and_lie_deeper():
    row = {"meta": {"kind": "counting"}, "steps": ["One.", "Two."], "key": 5}
    sample = read(row, fields={"trajectory": "steps", "task_type": "meta.kind"})[2]
    assert sample.task_type == "counting"
    assert sample.trajectory.steps == ("One.", "Two.")
