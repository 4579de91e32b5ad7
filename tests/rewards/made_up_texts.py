"""Responses made up by hypothesis from the fragments that parsers look for, and large hostile ones."""

import os

from hypothesis import settings
from hypothesis import strategies as st

# FUZZ_EXAMPLES=10000 pytest tests/rewards is the fuzz target.
fuzz = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")))

FRAGMENTS = st.sampled_from([
    "<think>", "</think>", "<tool_call>", "</tool_call>", "<answer>", "</answer>", "<reward>1.0</reward>", "<", "</",
    "ZOOM_IN(", "ZOOM_IN(x=1, y=2)", "READ_TEXT()", "THINK('so it is')", "TRACK_OBJECT(id=[1, {'a': \"b\"}])", ")", "(",
    '{"name": "ZOOM_IN", "arguments": {"x": 1}}', '{"name": ', '"arguments": ', '{"tool_calls": [', "]}", "{", "}", "[",
    '"{\\"x\\": 1}"', '{"name": 1, "arguments": {}}', '{"name": "ZOOM_IN", "arguments": "{"}', "```json\n", "```\n",
    "> ", "\n", "\n\n", " ", "Wait, ", "The cup is red. ", "x=1e999, ", "1" * 5000, "'", '"', "\\", "\\ud800", "\ud800",
    "\x00", "\u2028", "é", "杯子。", "NaN", "-0", "true", ",", "=", "_",
])  # fmt: skip
RESPONSES = st.lists(FRAGMENTS | st.text(max_size=5), max_size=30).map("".join)

_SIZE = 1_000_000
_UNITS = (
    "a", " ", "\n", "\n\n", ".", "! ", "。", "<", "</", "(", ")", '"', "\\", "```\n", "> \n", "x\n", "\x00", "\ud800",
    "<think>", "</think>", "<tool_call>", "</tool_call>", "<answer>", "<think><answer>", "</answer></think>",
    "<tool_call>{", "<tool_call>[[</tool_call>", "ZOOM_IN(", "ZOOM_IN(\n", "ZOOM_IN()\n", "ZOOM_IN(x=1)\n",
    "READ_TEXT(')\n", '{"a":\n', '{"name"\n', '[{"name":\n', '{"name": "ZOOM_IN", "arguments": {}}\n',
    '{"name": "ZOOM_IN", "arguments": \n', "```json\n{\"name\"\n", "wait\n", "A step of no meaning at all number.\n",
    "word ", "\\\"", "1", "a=", "[", '{"a":',
)  # fmt: skip
HOSTILE = {
    **{f"{unit!r} again and again": unit * (_SIZE // len(unit)) for unit in _UNITS},
    "brackets inside a call": "ZOOM_IN(" + "[" * _SIZE + ")",
    "an unclosed string in a call": "ZOOM_IN(" + '\\"' * (_SIZE // 2) + ")",
    "strings in a call": "ZOOM_IN(" + '"a",' * (_SIZE // 4) + ")",
    "names in a call": "ZOOM_IN(" + "a=1," * (_SIZE // 4) + "a)",
    "a number in a call": "ZOOM_IN(x=" + "9" * _SIZE + ")",
    "brackets in a tag": '<tool_call>{"name": "ZOOM_IN", "arguments": ' + '{"a":' * (_SIZE // 5) + "</tool_call>",
    "brackets after a name": '"name"\n' + '{"a":[\n' * (_SIZE // 7),
}
