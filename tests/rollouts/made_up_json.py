"""JSON made up by hypothesis: values of every kind under the keys that readers look for, and lines that are spoiled."""

import json
from typing import Any

from hypothesis import strategies as st

KEYS = [
    "id", "key", "num", "prompt", "messages", "response", "responses", "choices", "message", "role", "content", "type",
    "text", "reward", "score", "reward_model", "ground_truth", "data_source", "ability", "extra_info", "input",
    "output", "gts", "step", "é",
]  # fmt: skip
NUMBERS = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10**19, -(10**19), 10**400, 1e150, 1e151, -0.0])
)
TEXTS = st.sampled_from(["", "a", "user", "assistant", "text", "{", "4"]) | st.text(max_size=5)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
OBJECTS = st.deferred(lambda: st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5))
VALUES: st.SearchStrategy[Any] = st.deferred(lambda: SCALARS | st.lists(VALUES, max_size=3) | OBJECTS)
CONTENTS = TEXTS | st.none() | st.lists(TEXTS | st.fixed_dictionaries({"type": TEXTS, "text": TEXTS}), max_size=2)
MESSAGES = st.lists(st.fixed_dictionaries({"role": TEXTS, "content": CONTENTS}), max_size=3)
REWARDS = st.lists(st.floats(-2, 2) | st.fixed_dictionaries({"score": st.floats(-2, 2)}), max_size=3)
CHOICES = st.lists(TEXTS | st.fixed_dictionaries({"message": st.fixed_dictionaries({"content": CONTENTS})}), max_size=3)
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "id": TEXTS | st.integers(),
    "prompt": MESSAGES | TEXTS,
    "messages": MESSAGES,
    "reward": REWARDS,
    "response": CHOICES | st.fixed_dictionaries({"choices": CHOICES}) | TEXTS,
    "ground_truth": VALUES,
    "input": TEXTS,
    "output": TEXTS,
    "score": st.floats(-2, 2),
    "gts": VALUES,
}
# Lines that are mostly right, each field of which may be missing or anything at all.
ROWS = st.fixed_dictionaries({}, optional={key: right | VALUES for key, right in RIGHT.items()})


@st.composite
def spoiled_lines(draw: st.DrawFn) -> bytes:
    """A line with some of its bytes replaced, or cut short."""
    line = bytearray(json.dumps(draw(ROWS), ensure_ascii=draw(st.booleans())).encode())
    for _ in range(draw(st.integers(0, 3))):
        line[draw(st.integers(0, len(line) - 1))] = draw(
            st.sampled_from(b'"\\{}[],:0e-Nn\xff\x00 ') | st.integers(0, 255)
        )
    return bytes(line[: draw(st.integers(0, len(line)))] if draw(st.booleans()) else line)
