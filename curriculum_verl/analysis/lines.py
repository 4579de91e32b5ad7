"""A line of a rollout log with all that analysis needs: the rollout, and where in its run it came about."""

from dataclasses import dataclass
from typing import Any

import msgspec

from curriculum_verl.rollouts.content import ContentReader, Rollout
from curriculum_verl.rollouts.fields import Fields
from curriculum_verl.rollouts.scores import LineError


@dataclass(frozen=True, slots=True)
class Line:
    """A rollout with its responses. What the line does not say, or says in a way of its own, is None."""

    rollout: Rollout
    bucket: str | None
    stage: Any
    step: int | None
    tokens: list[int] | None  # of every response

    @property
    def prompt(self) -> str:
        """The text of the prompt."""
        return "\n".join(message["content"] for message in self.rollout.messages)


class _Beside(msgspec.Struct):
    bucket: Any = None
    stage: Any = None
    step: Any = None
    tokens: Any = None


class LineReader:
    """Reads what `ContentReader` reads; a line without the responses' texts is none."""

    def __init__(self, fields: Fields):
        self._content = ContentReader(fields)
        self._beside = msgspec.json.Decoder(_Beside).decode

    def __call__(self, line: bytes) -> Line:
        """What a line holds; a LineError says what is wrong with it."""
        rollout = self._content.rollout(line)
        if not rollout.responses:
            raise LineError("no_response", "got no responses, expected the text of each: there is nothing to analyze")
        beside = self._beside(line)
        return Line(
            rollout,
            str(beside.bucket) if isinstance(beside.bucket, str | int) and beside.bucket != "" else None,
            beside.stage,
            int(beside.step) if isinstance(beside.step, int | float) and beside.step == beside.step // 1 else None,
            _tokens(beside.tokens, len(rollout.responses)),
        )


def _tokens(found: Any, count: int) -> list[int] | None:
    whole = isinstance(found, list) and len(found) == count and all(type(one) is int and one >= 0 for one in found)
    return found if whole else None
