"""One call, read from JSON or from call syntax."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rewards.made_up_texts import RESPONSES, fuzz

from curriculum_verl.rewards.calls import Operation, read_call_syntax, read_json

NAMES = ("ZOOM_IN", "READ_TEXT")


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("ZOOM_IN()", {}),
        ("ZOOM_IN( )", {}),
        ("ZOOM_IN(y=2, x=1)", {"x": 1, "y": 2}),
        ("ZOOM_IN(x = -1.5, size=[64, 64])", {"x": -1.5, "size": [64, 64]}),
        ("ZOOM_IN(120, 80)", {"0": 120, "1": 80}),
        ("ZOOM_IN((1, 2), label='it\\'s \"red\"')", {"0": [1, 2], "label": 'it\'s "red"'}),
        ('ZOOM_IN("a) b, c=(")', {"0": "a) b, c=("}),
        ("ZOOM_IN(on=True, off=false, none=None, x=007)", {"on": True, "off": False, "none": None, "x": 7}),
        ("ZOOM_IN(box={'left': 1e2})", {"box": {"left": 100.0}}),
        ("ZOOM_IN(x=1\t,y=2)", {"x": 1, "y": 2}),
    ],
)
def test_call_syntax_is_read(line, arguments):
    call = read_call_syntax(line, NAMES)
    assert call is not None
    assert call.fault is None
    assert json.loads(call.arguments) == arguments


@pytest.mark.parametrize(
    "line",
    [
        "ZOOM_OUT(x=1)",
        "zoom_in(x=1)",
        "ZOOM_IN",
        "ZOOM_IN (x=1)",
        "ZOOM_IN(x=1) shows a cup",
        "ZOOM_IN(x=1) and READ_TEXT(y=2)",
        "I call ZOOM_IN(x=1)",
        "",
    ],
)
def test_prose_is_no_call(line):
    assert read_call_syntax(line, NAMES) is None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("ZOOM_IN(x=1", "unclosed"),
        ("ZOOM_IN(x1, y1)", "arguments"),
        ("ZOOM_IN(x=1,)", "arguments"),
        ("ZOOM_IN(x=1 y=2)", "arguments"),
        ("ZOOM_IN('open)", "arguments"),
        ("ZOOM_IN(x=__import__)", "arguments"),
        ("ZOOM_IN(x=" + "9" * 5000 + ")", "arguments"),
        ("ZOOM_IN(x=" + "[" * 100 + "]" * 100 + ")", "arguments"),
    ],
)
def test_what_is_wrong_in_call_syntax_is_a_fault(line, fault):
    assert read_call_syntax(line, NAMES) == Operation("ZOOM_IN", "", fault)


CALL = {"name": "ZOOM_IN", "arguments": {"x": 1}}


@pytest.mark.parametrize(
    "value",
    [
        CALL,
        [CALL],
        {"function": CALL, "type": "function", "id": "call_0"},
        {"tool_calls": [{"function": CALL}], "content": None},
        {"function_call": CALL},
        {"name": "ZOOM_IN", "parameters": {"x": 1}},
        {"name": "ZOOM_IN", "arguments": '{"x": 1}'},
    ],
)
def test_json_calls_are_read_in_every_usual_shape(value):
    assert read_json(value, NAMES) == [Operation("ZOOM_IN", '{"x":1}')]


@pytest.mark.parametrize("value", [None, 1, "ZOOM_IN", [], {}, [1], {"name": "Ann"}, {"arguments": {}}, [CALL, 1]])
def test_other_json_is_no_call(value):
    assert read_json(value, NAMES) is None


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"name": 1, "arguments": {}}, "name"),
        ({"name": "ZOOM_OUT", "arguments": {}}, "unknown_operation"),
        ({"name": "ZOOM_IN", "arguments": [1]}, "arguments"),
        ({"name": "ZOOM_IN", "arguments": "{"}, "arguments"),
        ({"name": "ZOOM_IN", "arguments": None}, "arguments"),
    ],
)
def test_what_is_wrong_in_json_is_a_fault(value, fault):
    (call,) = read_json(value, NAMES) or []
    assert call.fault == fault
    assert call.arguments == ""


def test_the_same_arguments_are_the_same_however_they_were_written():
    written = [
        read_call_syntax("ZOOM_IN(y=[1, 2], x='é')", NAMES),
        read_call_syntax('ZOOM_IN( x = "é" , y = (1,2) )', NAMES),
        *(read_json({"name": "ZOOM_IN", "arguments": {"x": "é", "y": [1, 2]}}, NAMES) or []),
    ]
    assert len(set(written)) == 1


NUMBERS = st.integers(-999, 999) | st.floats(-9, 9).map(lambda value: round(value, 3))
WRITABLE = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True), NUMBERS | st.text(max_size=9) | st.booleans() | st.none(), max_size=4
)


@fuzz
@given(WRITABLE)
def test_what_python_writes_is_read_back(arguments):
    def quoted(value):
        if not isinstance(value, str):
            return repr(value)
        escaped = "".join("\\" + c if c in "\\'" else c for c in value)
        return f"'{escaped}'"

    line = "ZOOM_IN(" + ", ".join(f"{key}={quoted(value)}" for key, value in arguments.items()) + ")"
    call = read_call_syntax(line, NAMES)
    assert call is not None
    assert json.loads(call.arguments) == arguments


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(["ZOOM_IN", "{}", '{"x": 1}', "{"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "arguments", "parameters", "function", "function_call", "tool_calls", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@fuzz
@given(JSON)
def test_any_json_gives_calls_or_none(value):
    for call in read_json(value, NAMES) or []:
        assert (call.fault is None) == (call.arguments != "")
        assert call.fault is not None or call.name in NAMES


@fuzz
@given(RESPONSES)
@example("x=1\n,y=2")
@example("1x=2")
@example("x=1,")
def test_any_line_gives_a_call_a_fault_or_prose(inside):
    call = read_call_syntax(f"ZOOM_IN({inside})", NAMES)
    assert call is None or call.fault == "arguments" or isinstance(json.loads(call.arguments), dict)
