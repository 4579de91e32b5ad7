"""A response read as a trajectory: steps of reasoning, calls of operations, the final answer."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from curriculum_verl.rewards.calls import Operation, malformed, read_call_syntax, read_json
from curriculum_verl.rewards.pieces import Kind, cut_at_tags
from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.settings import Operations

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*")  # noqa: RUF001
_WORD = re.compile(r"\w")
_LONG_LINE = 120  # beyond it, a line is cut into sentences
_FENCE = "```"
_FENCED_CALLS = ("json", "tool_call")
_BROKEN_JSON = 64  # broken JSON values after which the rest of a text is not tried: each failure counts lines anew
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What a response did: `late` operations came after the final answer, `quoted` calls only repeated the prompt."""

    steps: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    answer: str | None = None
    late: int = 0
    quoted: int = 0

    @property
    def malformed(self) -> int:
        """How many calls cannot be made."""
        return sum(operation.fault is not None for operation in self.operations)


def read_trajectory(text: str, operations: Operations, prompt: str = "") -> Trajectory:
    """Read a response; nothing in it is an error.

    A call has its place: in <tool_call> tags, or outside of them a line of its own in call syntax, JSON that begins a
    line, or a fenced block of json. In <think>, <answer>, other fences, quoted lines (>) and sentences it is text. A
    call outside of the tags that stands word for word in the prompt is a quotation.
    """
    return _read(text, operations, prompt)


def read_response(response: Response, operations: Operations) -> Trajectory | None:
    """The trajectory of a response; None if its text is no text."""
    if not isinstance(response.text, str):
        return None
    prompt = response.prompt if isinstance(response.prompt, str) else ""
    return read_trajectory(response.text, operations, prompt)


@lru_cache(maxsize=4)  # coherence and curiosity read the same response one after the other
def _read(text: str, operations: Operations, prompt: str) -> Trajectory:
    reading = _Reading(operations, prompt)
    for kind, piece in cut_at_tags(text):
        reading.read(kind, piece)
    return reading.trajectory()


class _Reading:
    """The trajectory while it is being read."""

    def __init__(self, operations: Operations, prompt: str):
        self._names, self._thoughts = operations.weights.keys(), operations.thoughts
        self._prompt = prompt
        self._steps: list[str] = []
        self._operations: list[Operation] = []
        self._answer: str | None = None
        self._before_answer = 0
        self._quoted = 0
        self._broken = 0

    def trajectory(self) -> Trajectory:
        late = len(self._operations) - self._before_answer if self._answer is not None else 0
        return Trajectory(tuple(self._steps), tuple(self._operations), self._answer, late, self._quoted)

    def read(self, kind: Kind, piece: str) -> None:
        if kind == "text":
            self._read_text(piece)
        elif kind == "thought":
            self._say(piece)
        elif kind == "answer":
            self._answer, self._before_answer = piece.strip(), len(self._operations)
        elif kind == "unclosed":
            self._call(malformed("unclosed"))
        else:
            for operation in self._in_tags(piece.strip()):
                self._call(operation)

    def _say(self, piece: str) -> None:
        """Add the piece's lines as steps, long ones by sentence; what has no letter and no digit is none."""
        for line in piece.split("\n"):
            self._say_line(line.strip())

    def _say_line(self, line: str) -> None:
        if len(line) > _LONG_LINE:
            self._steps += [part for part in _SENTENCE_END.split(line) if _WORD.search(part)]
        elif _WORD.search(line):
            self._steps.append(line)

    def _call(self, operation: Operation) -> None:
        self._operations.append(Operation(operation.name, operation.arguments, operation.fault, len(self._steps)))
        if operation.name in self._thoughts and operation.fault is None:
            self._say(" ".join(map(str, json.loads(operation.arguments).values())))

    def _call_or_quote(self, source: str, operations: list[Operation]) -> None:
        if self._prompt and source in _quotable(self._prompt):
            self._quoted += len(operations)
            return
        for operation in operations:
            self._call(operation)

    def _in_tags(self, source: str) -> list[Operation]:
        call = read_call_syntax(source, self._names)
        if call is not None:
            return [call]
        try:
            return read_json(json.loads(source), self._names) or [malformed("name")]
        except (ValueError, RecursionError):
            return [malformed("syntax")]

    def _read_text(self, piece: str) -> None:
        """Calls where a line or a fence is one, steps everywhere else."""
        json_calls = '"name"' in piece
        if not json_calls and not any(name in piece for name in self._names):
            self._say(piece)
            return
        begin, fence, fence_info = 0, -1, ""
        while begin < len(piece):
            end = piece.find("\n", begin)
            end = len(piece) if end < 0 else end
            line = piece[begin:end].strip()
            if line.startswith(_FENCE):
                if fence < 0:
                    fence, fence_info = end, line[len(_FENCE) :].strip().lower()
                else:
                    self._read_fence(fence_info, piece[fence:begin].strip())
                    fence = -1
            elif "(" not in line and line[:1] not in ("{", "["):
                if fence < 0:
                    self._say_line(line)
            elif fence < 0:
                end = self._read_line(piece, begin, end, line, json_calls)
            begin = end + 1
        if fence >= 0:
            self._say(piece[fence:])

    def _read_fence(self, info: str, body: str) -> None:
        calls = None
        if info in _FENCED_CALLS:
            try:
                calls = read_json(json.loads(body), self._names)
            except (ValueError, RecursionError):
                calls = [malformed("syntax")] if _looks_like_call(body) else None
        if calls is None:
            self._say(body)
        else:
            self._call_or_quote(body, calls)

    def _read_line(self, piece: str, begin: int, end: int, line: str, json_calls: bool) -> int:
        """Read one line, or the JSON that begins there; returns where the line ends that was read last."""
        if json_calls and line[:1] in ("{", "[") and self._broken < _BROKEN_JSON:
            start = piece.index(line[0], begin)
            try:
                value, stop = _DECODER.raw_decode(piece, start)
            except (ValueError, RecursionError):
                self._broken += 1
                calls = [malformed("syntax")] if _looks_like_call(line) else None
            else:
                end = _line_end(piece, stop)
                calls = None if piece[stop:end].strip() else read_json(value, self._names)
                line = piece[start:end].strip()
        else:
            call = read_call_syntax(line, self._names)
            calls = None if call is None else [call]
        if calls is None:
            self._say(line)
        else:
            self._call_or_quote(line, calls)
        return end


def _line_end(piece: str, at: int) -> int:
    end = piece.find("\n", at)
    return len(piece) if end < 0 else end


def _looks_like_call(source: str) -> bool:
    return '"name"' in source and ('"arguments"' in source or '"parameters"' in source)


@lru_cache(maxsize=64)
def _quotable(prompt: str) -> frozenset[str]:
    """What of a prompt would be a call if it were a response: its lines and its fenced blocks."""
    fenced = (block.partition("\n")[2].strip() for block in prompt.split(_FENCE)[1::2])
    return frozenset((*(line.strip() for line in prompt.split("\n")), *fenced))
