"""Reading rollouts: JSON lines that hold a prompt with its scored responses."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from curriculum_verl.errors import InputError

CHARACTERS_PER_TOKEN = 4.0  # the usual rule of thumb for English text
_EXPECTED = "expected one JSON object a line, with reward: [{score: ...}, ...]"


@dataclass(frozen=True, slots=True)
class Scored:
    """One prompt's scores, and the mean length of its responses in tokens (None where no text was logged)."""

    scores: tuple[float, ...]
    tokens: float | None


class _Reward(msgspec.Struct):
    score: float


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None

    @property
    def text(self) -> str:
        return (self.message.content if self.message else None) or ""


class _Response(msgspec.Struct):
    choices: list[str | _Choice] = []


class _Line(msgspec.Struct):
    reward: list[_Reward | float]
    response: _Response | None = None


def rollout_files(paths: Iterable[str | Path]) -> list[Path]:
    """The JSONL files among the paths and in the folders among them, sorted within a folder."""
    files: list[Path] = []
    for path in map(Path, paths):
        found = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
        if not found or not found[0].is_file():
            raise InputError(f"{path}: got no rollouts, expected a .jsonl file or a folder that holds some")
        files += found
    return files


def read_scored(path: Path) -> Iterator[Scored]:
    """The scored prompts of a file; the first line that cannot be used is an error with its number."""
    decoder = msgspec.json.Decoder(_Line)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield _scored(decoder.decode(line.removeprefix(b"\xef\xbb\xbf")))
            except (msgspec.DecodeError, ValueError) as error:
                raise InputError(f"{path}:{number}: not a rollout: {error}; {_EXPECTED}") from error


def _scored(line: _Line) -> Scored:
    scores = tuple(reward.score if isinstance(reward, _Reward) else reward for reward in line.reward)
    if not scores:
        raise ValueError("got an empty reward list")
    return Scored(scores, _mean_tokens(line.response.choices if line.response else []))


def _mean_tokens(choices: Sequence[str | _Choice]) -> float | None:
    if not choices:
        return None
    lengths = [len(choice if isinstance(choice, str) else choice.text) for choice in choices]
    return math.fsum(lengths) / len(lengths) / CHARACTERS_PER_TOKEN
