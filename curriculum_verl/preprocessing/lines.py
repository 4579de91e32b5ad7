"""The prompts of a chunk: its lines read and, where a prompt has several, put together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

from curriculum_verl.preprocessing.chunks import Chunk
from curriculum_verl.rollouts.content import ContentReader, Rollout
from curriculum_verl.rollouts.fields import Fields
from curriculum_verl.rollouts.lines import BLOCK
from curriculum_verl.rollouts.scores import LineError, ScoreReader

CHANGED = "changed"  # the reason of a line that bucketing cannot have written


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that cannot be used, by its number from 1; in a chunk lines are counted from the chunk's first."""

    line: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with all its responses, or the reasons for which it cannot be used, one for each of its lines."""

    key: int
    line: int
    lines: int
    bytes: int
    rollout: Rollout | None
    rejects: tuple[Reject, ...] = ()


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    bytes: int
    key: int
    found: Rollout | LineError


def lines_of(chunk: Chunk) -> Iterator[bytes]:
    """The lines of a chunk, one at a time."""
    with chunk.path.open("rb", buffering=BLOCK) as file:
        file.seek(chunk.start)
        left = chunk.end - chunk.start
        while left > 0 and (line := file.readline()):
            left -= len(line)
            yield line


class PromptReader:
    """Reads the lines of prompts; those of one prompt stand next to each other."""

    def __init__(self, fields: Fields):
        self._content = ContentReader(fields)
        self._scores = ScoreReader(fields)

    def __call__(self, lines: Iterable[bytes]) -> Iterator[Prompt]:
        """The prompts in order."""
        group: list[_Line] = []
        for number, text in enumerate(lines, 1):
            line = self._read(number, text)
            if group and line.key != group[0].key:
                yield _prompt(group)
                group = []
            group.append(line)
        if group:
            yield _prompt(group)

    def _read(self, number: int, text: bytes) -> _Line:
        try:
            rollout = self._content.rollout(text)
            return _Line(number, len(text), rollout.key, rollout)
        except LineError as bad:
            # Bucketing looks at scores and ids only, so these can be read where a line is what bucketing wrote.
            try:
                return _Line(number, len(text), self._scores(text).key, bad)
            except LineError as worse:
                return _Line(number, len(text), -number, LineError(CHANGED, str(worse)))


def _prompt(group: list[_Line]) -> Prompt:
    rollouts = [line.found for line in group if isinstance(line.found, Rollout)]
    size = sum(line.bytes for line in group)
    if len(rollouts) == len(group):
        whole = reduce(Rollout.joined, rollouts)
        return Prompt(group[0].key, group[0].number, len(group), size, whole)
    bad = next(line.number for line in group if isinstance(line.found, LineError))
    # Without one of its lines a prompt would have another difficulty than the one by which it was put into its bucket.
    rest = LineError("other_line_rejected", f"another line of the same prompt, {bad}, cannot be used")
    found = [(line.number, line.found if isinstance(line.found, LineError) else rest) for line in group]
    rejects = tuple(Reject(number, reason.reason, str(reason)) for number, reason in found)
    return Prompt(group[0].key, group[0].number, len(group), size, None, rejects)
