"""How a response uses its tools: compact traces, and the statistics that rewards, metrics and analysis share."""

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import msgspec

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.calls import Operation
from curriculum_verl.rewards.repetition import loop_share
from curriculum_verl.rewards.settings import Operations
from curriculum_verl.rewards.trajectory import Trajectory

MOST_KEPT = 128  # tool calls of one response that a trace lists

_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
_Hash = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
_Calls = Annotated[tuple[tuple[str, _Hash], ...], msgspec.Meta(max_length=MOST_KEPT)]
_DECODER = msgspec.json.Decoder(tuple[_Calls, _Count, _Count, _Count, _Count])


@dataclass(frozen=True, slots=True)
class Trace:
    """What counts of one response: the first tool calls in order, as (name, hash of the arguments), and counts.

    `calls` are all well-formed tool calls, `malformed` those that cannot be made, `thoughts` operations such as THINK.
    """

    operations: tuple[tuple[str, int], ...] = ()
    calls: int = 0
    malformed: int = 0
    thoughts: int = 0
    steps: int = 0

    @classmethod
    def of(cls, trajectory: Trajectory, operations: Operations, digits: int) -> "Trace":
        """The trace of a trajectory; numbers among the arguments are hashed with so many significant digits."""
        made = [operation for operation in trajectory.operations if operation.fault is None]
        tools = [operation for operation in made if operation.name not in operations.thoughts]
        listed = tuple((tool.name, _hash(tool, digits)) for tool in tools[:MOST_KEPT])
        thoughts = len(made) - len(tools)
        return cls(listed, len(tools), trajectory.malformed, thoughts, len(trajectory.steps))

    @classmethod
    def decode(cls, text: str) -> "Trace":
        """The trace that was encoded; anything else is an InputError."""
        try:
            trace = cls(*_DECODER.decode(text))
        except (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError) as error:
            got = text if len(str(text)) <= 60 else str(text)[:57] + "..."
            raise InputError(f"trace: got {got!r}, expected what Trace.encode gave ({error})") from error
        if len(trace.operations) != min(trace.calls, MOST_KEPT):
            raise InputError(f"trace: got {trace.calls} calls and lists {len(trace.operations)}, expected as many")
        return trace

    def encode(self) -> str:
        """One line of JSON, at most a few kilobytes."""
        counts = (self.calls, self.malformed, self.thoughts, self.steps)
        return msgspec.json.encode((self.operations, *counts)).decode()

    @property
    def attempts(self) -> int:
        """Tool calls, well-formed or not."""
        return self.calls + self.malformed

    @property
    def uses_tools(self) -> bool:
        """Whether at least one tool call can be made."""
        return self.calls > 0


def _hash(operation: Operation, digits: int) -> int:
    """A hash that small changes of a number do not change: a box moved by a pixel is no new place."""
    if operation.arguments == "{}":
        return 0
    return zlib.crc32(repr(_rounding(digits).decode(operation.arguments)).encode())


@lru_cache(maxsize=8)
def _rounding(digits: int) -> json.JSONDecoder:
    def rounded(number: str) -> str:
        return f"{float(number) + 0.0:.{digits}g}"  # + 0.0: no negative zero

    return json.JSONDecoder(parse_int=rounded, parse_float=rounded)


def efficiency(trace: Trace) -> float:
    """Exploration efficiency: distinct tool calls over all attempts; 0 without any."""
    return len(set(trace.operations)) / trace.attempts if trace.attempts else 0.0


def looping(trace: Trace) -> float:
    """The share of tool calls that repeat a round of calls directly before them."""
    return loop_share(trace.operations)


def tool_use_rate(traces: Sequence[Trace]) -> float:
    """The share of responses that use a tool (in pixel-reasoning work: the rate of pixel-space reasoning)."""
    return sum(trace.uses_tools for trace in traces) / len(traces) if traces else 0.0


def tool_counts(traces: Sequence[Trace]) -> Counter[str]:
    """How often each tool was called."""
    return Counter(name for trace in traces for name, _ in trace.operations)
