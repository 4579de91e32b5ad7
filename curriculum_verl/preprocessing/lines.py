"""The prompts of a chunk: its lines read and, where a prompt has several, put together."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

from curriculum_verl.rollouts.content import ContentReader, Rollout
from curriculum_verl.rollouts.fields import Fields
from curriculum_verl.rollouts.scores import SHOWN, LineError, ScoreReader

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
    rest = _difference(rollouts)
    if len(rollouts) == len(group) and rest is None:
        whole = reduce(Rollout.joined, rollouts)
        return Prompt(group[0].key, group[0].number, len(group), size, whole)
    # Without one of its lines a prompt would have another difficulty than the one by which it was put into its bucket.
    rest = rest or LineError("other_line_rejected", "another line of the same prompt cannot be used")
    found = [(line.number, line.found if isinstance(line.found, LineError) else rest) for line in group]
    rejects = tuple(Reject(number, reason.reason, str(reason)) for number, reason in found)
    return Prompt(group[0].key, group[0].number, len(group), size, None, rejects)


def _difference(rollouts: Sequence[Rollout]) -> LineError | None:
    """What is not the same in lines that bucketing took for one prompt."""
    for one, other in pairwise(rollouts):
        if one.messages != other.messages:
            what, said = "prompts", (_said(one), _said(other))
        elif _truth(one) != _truth(other) and _plain_truth(one) != _plain_truth(other):
            what, said = "ground truths", (_truth(one), _truth(other))
        else:
            continue
        return LineError(
            "lines_differ",
            f"got lines of one prompt (id {one.id!r}) whose {what} differ: {_excerpts(*said)}; expected the same in "
            "all lines of an id or, in verl's dumps, of an input",
        )
    return None


def _said(rollout: Rollout) -> str:
    return "\n".join(f"{message['role']}: {message['content']}" for message in rollout.messages)


def _truth(rollout: Rollout) -> str:
    text = rollout.ground_truth
    return "(none)" if text is None else f"JSON {text}" if rollout.ground_truth_is_json else f"text {text}"


def _plain_truth(rollout: Rollout) -> str:
    """The ground truth without regard to how its JSON is written."""
    if rollout.ground_truth is not None and rollout.ground_truth_is_json:
        with suppress(ValueError, RecursionError):  # numbers too long, or nested too deep, for Python
            return f"JSON {json.dumps(json.loads(rollout.ground_truth), sort_keys=True)}"
    return _truth(rollout)


def _excerpts(one: str, other: str) -> str:
    """The beginnings of two texts, from a little before the place where they part if that is far in."""
    both = enumerate(zip(one, other, strict=False))
    same = next((place for place, (a, b) in both if a != b), min(len(one), len(other)))
    start = same - SHOWN // 3 if same > SHOWN // 2 else 0
    parts = [f"{'...' * (start > 0)}{text[start : start + SHOWN]}" for text in (one, other)]
    return f"{parts[0]!r} and {parts[1]!r}"
