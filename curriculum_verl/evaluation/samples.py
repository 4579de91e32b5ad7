"""What was sampled of one model, as numbers: kept beside the report, so that a model that is done is done."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from curriculum_verl.evaluation.figures import Answers
from curriculum_verl.generation.data import Reject
from curriculum_verl.generation.folder import Places, document
from curriculum_verl.generation.rounds import UNSCORED
from curriculum_verl.rewards.curiosity import trace_response
from curriculum_verl.rewards.scorer import ScoringSettings
from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.settings import CuriositySettings, Operations
from curriculum_verl.rewards.usage import Trace
from curriculum_verl.schema import Reader

VERSION = 1


class Answered(msgspec.Struct, frozen=True):
    """One prompt: a score of every response or none, tokens (or none) and ends of those with a score, traces of all."""

    id: str
    scores: list[float | None]
    tokens: list[int | None]
    cut: list[bool]
    traces: list[str]


class Samples(msgspec.Struct, frozen=True):
    """All of a model's answers; `skipped` are prompts that it could not be asked, `unscored` reasons with counts."""

    version: int
    settings: dict[str, Any]
    answered: list[Answered]
    skipped: dict[str, str] = {}
    unscored: dict[str, int] = {}

    def answers(self, bucket: Mapping[str, str]) -> list[Answers]:
        """The same, with buckets, as figures are computed of them."""
        return [
            Answers(one.id, bucket[one.id], one.scores, one.tokens, one.cut, [Trace.decode(t) for t in one.traces])
            for one in self.answered
        ]

    @property
    def tokens(self) -> int | None:
        """All of them, if all were counted."""
        counts = [count for one in self.answered for count in one.tokens]
        return None if None in counts else sum(count or 0 for count in counts)


class _Unscored(msgspec.Struct):
    reason: str | None
    response: str


class _Line(msgspec.Struct):
    id: str
    prompt: list[dict[str, Any]]
    response: list[str]
    reward: list[float]
    tokens: list[int | None]
    finish: list[str]
    unscored: list[_Unscored] = []


def read_operations(scoring: Path | None) -> Operations:
    """The operations that count as tool use: those of the scoring block that responses are scored by."""
    if scoring is None:
        return Operations()
    raw = yaml.safe_load(scoring.read_text())  # read_scoring has looked at it before, and knows what is wrong
    for key in ("curriculum", "scoring"):
        raw = raw.get(key, raw)
    settings: ScoringSettings = Reader().construct(ScoringSettings, raw, "scoring")
    return settings.operations


def condense(places: Places, settings: dict[str, Any], operations: Operations) -> Samples:
    """The numbers of a finished folder of rollouts."""
    lines = list(_lines(places.rollouts, _Line))
    answered = [_answered(line, operations) for line in lines]
    reasons = Counter(one.reason or "no reason was given" for line in lines for one in line.unscored)
    skipped = {}
    for reject in _lines(places.rejects, Reject):
        if reject.reason == UNSCORED and reject.id is not None and reject.responses:
            traces = [_trace(text, "", operations) for text in reject.responses]
            answered.append(Answered(reject.id, [None] * len(traces), [], [], traces))
            reasons[reject.message] += len(traces)
        elif reject.id is not None:
            skipped[reject.id] = reject.message
    return Samples(VERSION, settings, answered, skipped, dict(reasons))


def _lines(path: Path, kind: Any) -> Iterator[Any]:
    if path.is_file():
        with path.open("rb") as file:
            yield from (msgspec.json.decode(line, type=kind) for line in file)


def _answered(line: _Line, operations: Operations) -> Answered:
    asked = "\n".join(str(message.get("content") or "") for message in line.prompt)
    texts = [*line.response, *(one.response for one in line.unscored)]
    return Answered(
        id=line.id,
        scores=[*line.reward, *([None] * len(line.unscored))],
        tokens=line.tokens,
        cut=[finish == "length" for finish in line.finish],
        traces=[_trace(text, asked, operations) for text in texts],
    )


def _trace(text: str, prompt: str, operations: Operations) -> str:
    return trace_response(Response(text, prompt=prompt), CuriositySettings(), operations).encode()


def write_samples(samples: Samples, path: Path) -> None:
    """Complete, or not there."""
    with replacing(path) as file:
        file.write(document(samples))


def read_samples(path: Path) -> Samples | None:
    """What an earlier evaluation has left, if there is any."""
    if not path.is_file():
        return None
    try:
        samples = msgspec.json.decode(path.read_bytes(), type=Samples)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: cannot be read: {error}; --overwrite samples that model anew") from error
    if samples.version != VERSION:
        raise InputError(f"{path}: got version {samples.version}, expected {VERSION}; --overwrite samples it anew")
    return samples
