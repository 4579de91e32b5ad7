"""The lines of a metrics file as its readers get them; metrics_file.py, which writes them, says what they mean."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import msgspec

ADVANCE, ROLLBACK = "advance", "rollback"
TRANSITIONS = (ADVANCE, ROLLBACK)
EVENTS = (*TRANSITIONS, "alert", "alarm", "warning", "stop")


class ExitTest(msgspec.Struct, frozen=True):
    """How far a test is that can end the stage."""

    metric: str
    test: str
    value: float | None
    threshold: float
    met: bool

    @property
    def words(self) -> str:
        """What is tested."""
        return f"{self.metric} {self.test} {self.threshold:g}"


def names_of_tests(tests: Sequence[ExitTest]) -> list[str]:
    """A name for each test of a stage: its words, and a number where others before it have the same."""
    seen: Counter[str] = Counter()
    names = []
    for test in tests:
        seen[test.words] += 1
        names.append(test.words if seen[test.words] == 1 else f"{test.words} ({seen[test.words]})")
    return names


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the metrics file; which fields it has besides the first three depends on its kind."""

    kind: str
    step: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]  # what a float, and so every reader of JSON, can count
    time: float = 0.0
    stage: str = ""
    metrics: dict[str, float] = {}
    exit: list[ExitTest] = []
    stages: list[str] = []
    ends: dict[str, str] = {}
    buckets: list[str] = []
    rollouts: str | None = None
    source: str = ""
    target: str = ""
    reason: str = ""
    before: float | None = None
    after: float | None = None
    name: str = ""
    bucket: str = ""
    message: str = ""


def read_line(text: bytes) -> Line | None:
    """The line, if it is one."""
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # torn, too deep, or no line of ours
        return None


_DECODER = msgspec.json.Decoder(Line)
