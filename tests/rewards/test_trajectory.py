"""Reading a response: formats, places where a call is none, faults, hostile texts."""

import pytest
from hypothesis import given
from rewards.made_up_texts import RESPONSES, fuzz

from curriculum_verl.errors import ConfigError
from curriculum_verl.rewards.settings import Operations
from curriculum_verl.rewards.trajectory import read_trajectory

OPERATIONS = Operations()
CALL = '{"name": "ZOOM_IN", "arguments": {"x": 1}}'


def names(text, prompt=""):
    return [operation.name for operation in read_trajectory(text, OPERATIONS, prompt).operations]


def test_a_whole_response_is_read_in_order():
    trajectory = read_trajectory(
        "<think>\nThere is a cup.\nThe label is small.\n</think>\n"
        f"<tool_call>\n{CALL}\n</tool_call>\n"
        "Now it is large.\n"
        "READ_TEXT(box=[1, 2, 3, 4])\n"
        "THINK('It says seven.')\n"
        "<answer> 7 </answer>",
        OPERATIONS,
    )
    assert trajectory.steps == ("There is a cup.", "The label is small.", "Now it is large.", "It says seven.")
    assert [(o.name, o.arguments, o.step) for o in trajectory.operations] == [
        ("ZOOM_IN", '{"x":1}', 2),
        ("READ_TEXT", '{"box":[1,2,3,4]}', 3),
        ("THINK", '{"0":"It says seven."}', 3),
    ]
    assert trajectory.answer == "7"
    assert trajectory.late == trajectory.quoted == trajectory.malformed == 0


@pytest.mark.parametrize(
    "name", ["SEGMENT_OBJECT_AT", "READ_TEXT", "ZOOM_IN", "TRACK_OBJECT", "GET_PROPERTIES", "THINK"]
)
def test_every_operation_is_read_in_every_format(name):
    call = f'{{"name": "{name}", "arguments": {{"x": 1}}}}'
    for text in (
        f"{name}(x=1)",
        f"<tool_call>{call}</tool_call>",
        f"<tool_call>{name}(x=1)</tool_call>",
        call,
        f"Text.\n  {call}  \nText.",
        f'{{"role": "assistant", "tool_calls": [{{"type": "function", "function": {call}}}]}}',
        f"```json\n[{call}]\n```",
        call.replace(": {", ":\n {"),
    ):
        (operation,) = read_trajectory(text, OPERATIONS).operations
        assert (operation.name, operation.arguments, operation.fault) == (name, '{"x":1}', None), text


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\nZOOM_IN(x=1)\n{CALL}\n<tool_call>{CALL}</tool_call>\n</think>",
        f"The template opened the thought.\n<tool_call>{CALL}</tool_call>\n</think>",
        f"<answer>\nZOOM_IN(x=1)\n<tool_call>{CALL}</tool_call>\n</answer>",
        f"<answer>\n<tool_call>{CALL}</tool_call>",
        "I may call ZOOM_IN(x=1) here.",
        "ZOOM_IN(x=1) is what I may call.",
        f"I may write {CALL} here.",
        f"{CALL} is what I may write.",
        "> ZOOM_IN(x=1)",
        "```\nZOOM_IN(x=1)\n```",
        "```python\nZOOM_IN(x=1)\n```",
        "```\nZOOM_IN(x=1)",
        '```json\n{"x": 1}\n```',
        '{"name": "Ann", "age": 7}',
        '<reward>1.0</reward>\n{"reward": 1.0}\n{"score": 1, "name": "reward"}',
        "REWARD(1.0)\n<reward>ZOOM_IN(x=1)</reward>",
        "<THINK>\n< tool_call>",
    ],
)
def test_outside_its_place_a_call_is_text(text):
    assert names(text) == []


def test_what_the_prompt_says_is_no_call_when_it_is_said_again():
    prompt = f"You may call:\n  ZOOM_IN(x=1)\n{CALL}\n```json\n[{CALL}]\n```\nBegin."
    repeated = read_trajectory(prompt, OPERATIONS, prompt)
    assert repeated.operations == ()
    assert repeated.quoted == 3
    assert names(prompt) == ["ZOOM_IN", "ZOOM_IN", "ZOOM_IN"]
    assert names("ZOOM_IN(x=2)", prompt) == ["ZOOM_IN"]
    assert names(f"<tool_call>{CALL}</tool_call>", prompt) == ["ZOOM_IN"], "an agent loop would make this call"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("<tool_call></tool_call>", ["syntax"]),
        ("<tool_call>{</tool_call>", ["syntax"]),
        ("<tool_call>7</tool_call>", ["name"]),
        ('<tool_call>{"name": "ZOOM_OUT", "arguments": {}}</tool_call>', ["unknown_operation"]),
        ("<tool_call>ZOOM_IN(x</tool_call>", ["unclosed"]),
        (f"<tool_call>{CALL}", ["unclosed"]),
        (f"<tool_call><tool_call>{CALL}</tool_call>", ["unclosed", None]),
        ("ZOOM_IN(x=1", ["unclosed"]),
        ("ZOOM_IN(x)", ["arguments"]),
        ('{"name": "ZOOM_IN", "arguments": {"x": }}', ["syntax"]),
        ('```json\n{"name": "ZOOM_IN", "arguments": }\n```', ["syntax"]),
        (f"{CALL}\n" + '{"name": "ZOOM_IN", "arguments": {"x": 1}, \n' + CALL, [None, "syntax"]),
    ],
)
def test_malformed_calls_are_counted(text, faults):
    trajectory = read_trajectory(text, OPERATIONS)
    assert [operation.fault for operation in trajectory.operations][: len(faults)] == faults
    assert trajectory.malformed >= sum(fault is not None for fault in faults)


@pytest.mark.parametrize(
    ("text", "answer", "late"),
    [
        ("ZOOM_IN()\n7", None, 0),
        ("<answer>7</answer>", "7", 0),
        ("<answer>7", "7", 0),
        ("<answer>6</answer>\nZOOM_IN()\n<answer>7</answer>", "7", 0),
        ("<answer>7</answer>\nZOOM_IN()\nREAD_TEXT(", "7", 2),
        ("<answer></answer>", "", 0),
        ("<think>So <answer>7</answer>", "7", 0),
        ("<think><answer>6</answer></think>", None, 0),
    ],
)
def test_the_last_answer_is_final_and_what_comes_after_it_is_late(text, answer, late):
    trajectory = read_trajectory(text, OPERATIONS)
    assert (trajectory.answer, trajectory.late) == (answer, late)


def test_lines_are_steps_and_long_lines_are_cut_into_sentences():
    long = "This is the first sentence of a line that is long. " * 3
    trajectory = read_trajectory(f"One.\n\n---\n  Two. Three.  \n{long}\n```\nx = 1\n}}\n```", OPERATIONS)
    assert trajectory.steps == (
        "One.",
        "Two. Three.",
        *["This is the first sentence of a line that is long."] * 3,
        "x = 1",
    )


def test_other_operations_are_those_that_are_named():
    mine = Operations(weights={"search": 1.0, "note": 0.5}, thoughts=("note",))
    trajectory = read_trajectory("search(q='cup')\nnote('it is red')\nZOOM_IN(x=1)", mine)
    assert [operation.name for operation in trajectory.operations] == ["search", "note"]
    assert trajectory.steps == ("it is red", "ZOOM_IN(x=1)")
    assert mine.needs == {}
    assert Operations(weights={"TRACK_OBJECT": 1.0}).needs == {}, "what it needs by default is not there either"


def test_mistakes_in_the_operations_are_named_together():
    with pytest.raises(ConfigError) as caught:
        Operations(weights={"search": 1.0, "a b": 1.0}, thoughts=("notes",), needs={"search": ("serch",)})
    assert len(caught.value.problems) == 3
    assert "did you mean 'search'?" in str(caught.value)


@fuzz
@given(RESPONSES, RESPONSES)
def test_no_text_breaks_the_reading(text, prompt):
    trajectory = read_trajectory(text, OPERATIONS, prompt)
    assert all(step == step.strip() and "\n" not in step for step in trajectory.steps)
    assert all(operation.name in OPERATIONS.weights for operation in trajectory.operations if operation.fault is None)
    assert 0 <= trajectory.late <= len(trajectory.operations)
    assert read_trajectory(text + "\n", OPERATIONS, prompt).malformed == trajectory.malformed
