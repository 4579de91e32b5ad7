"""The scores of a line and the id of its prompt: all that bucketing needs, so all that is decoded."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
import xxhash
from msgspec import UNSET

from curriculum_verl.errors import CurriculumError
from curriculum_verl.rollouts.fields import ROLES, Fields, row_type

LARGEST = 1e150  # the square of a larger score would not be finite
SHOWN = 60  # characters of a value in a message


class LineError(CurriculumError):
    """A line that is no rollout; `reason` is the word under which it is counted."""

    def __init__(self, reason: str, message: str):
        self.reason = reason
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return LineError, (self.reason, str(self))


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one line. `key` stands for the prompt's id; a `part` is one response, the prompt has more lines."""

    key: int
    scores: list[float]
    part: bool

    @property
    def format(self) -> str:
        """The name of the line's format."""
        return "verl dump" if self.part else "rollouts"


class ScoreReader:
    """Reads rollout lines (a prompt with its rewards) and verl's rollout dumps (one response a line, by prompt)."""

    def __init__(self, fields: Fields, more: Mapping[str, tuple[str, Any]] | None = None):
        self._score_keys = fields["score"][0].split(".")
        reward = _reward_type(self._score_keys)
        columns: dict[str, tuple[str, Any]] = {
            # Dumps may have a column of that name that holds anything.
            "reward": (fields["reward"][0], list[reward | float] | dict[str, Any] | float | str | bool | None),  # type: ignore[valid-type]
            "score": (fields["score"][0], msgspec.Raw),
            "input": ("input", msgspec.Raw),
            "output": ("output", msgspec.Raw),
        }
        ids = {f"id {path}": (path, msgspec.Raw) for path in fields["id"]}
        prompts = {f"key {path}": (path, msgspec.Raw) for path in fields["prompt"]}
        row, get = row_type(columns | ids | prompts | dict(more or {}))
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(row).decode
        self._reward, self._score, self._input, self._output = (get[name] for name in columns)
        self._ids = [(name, get["id " + name]) for name in fields["id"]]
        self._own_id = fields["id"][0] if tuple(fields["id"]) != ROLES["id"] else ""
        self._prompts = [get[name] for name in prompts]
        self._get = get
        self._rewards = fields["reward"][0]
        self._expected = f"expected {self._rewards}: [{{{fields['score'][0]}: ...}}, ...], or verl's dump"

    def __call__(self, line: bytes) -> Scored:
        """The scores of a line; a LineError says what is wrong with it."""
        try:
            return self.scored(self._decode(line))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise self.bad_line(line, error) from error

    def scored(self, row: Any) -> Scored:
        """The scores of a decoded row."""
        rewards = self._reward(row)
        if isinstance(rewards, list):
            scores = rewards
            for _ in self._score_keys:
                scores = [score if type(score) is float else score.score for score in scores]
            if not scores:
                raise LineError("no_responses", "got an empty list of rewards, expected at least one")
            return Scored(self._key(row), finite(scores), part=False)
        score, prompt = self._score(row), self._input(row)
        if prompt is not UNSET and self._output(row) is not UNSET and score is not UNSET:
            return Scored(_hash("input", _dump_prompt(prompt)), finite([_number(score)]), part=True)
        if rewards is UNSET or rewards is None:
            raise LineError("no_reward", f"got {'null for' if rewards is None else 'no'} rewards; {self._expected}")
        raise LineError("wrong_type", f"got {shown(rewards)} for the rewards; {self._expected}")

    def id_of(self, row: Any) -> tuple[str, str] | None:
        """The field in which a row gives itself an id, and the id."""
        for name, get in self._ids:
            raw = get(row)
            if raw is UNSET:
                continue
            found = msgspec.json.decode(raw)  # only now: the fields after the first that counts may hold anything
            if type(found) in (str, int, float):
                return name, str(found)
            if found is not None:
                raise LineError("wrong_type", f"got {shown(found)} for the id in {name}, expected text or a number")
        if self._own_id:
            raise LineError("no_id", f"got no id in {self._own_id}, the field that --fields names for it")
        return None

    def named(self, line: bytes) -> str:
        """What a message calls the prompt of a line."""
        found = self.id_of(self._decode(line))
        return f"{found[0]} {shown(found[1])}" if found else "the same prompt, without an id,"

    def bad_line(self, line: bytes, error: Exception) -> LineError:
        """What is wrong with a line that could not be decoded, in words that say what to do."""
        if isinstance(error, RecursionError):
            return LineError("not_json", "is nested too deeply to be read")
        if isinstance(error, msgspec.ValidationError):
            of_rewards = f"`$.{self._rewards}[" in str(error)
            return LineError("bad_score" if of_rewards else "wrong_type", str(error))
        return _unreadable(line, error)

    def _key(self, row: Any) -> int:
        found = self.id_of(row)
        if found is not None:
            return xxhash.xxh3_64_intdigest("=".join(found).encode())
        for get in self._prompts:
            prompt = get(row)
            if prompt is not UNSET and (value := msgspec.json.decode(prompt)) is not None:
                return _hash("prompt", value)
        raise LineError("no_id", "got neither an id nor a prompt, expected one of them to tell prompts apart")


def _reward_type(keys: list[str]) -> Any:
    """The type of a reward object: its score lies as deep as there are keys, each object in the `score` of another."""
    kind: Any = float
    for key in reversed(keys):
        kind = msgspec.defstruct("Reward", [("score", kind)], rename={"score": key})
    return kind


def _dump_prompt(raw: msgspec.Raw) -> Any:
    prompt = msgspec.json.decode(raw)
    if prompt is None:
        raise LineError("no_prompt", "got null for input, expected the prompt's text")
    return prompt


def _number(raw: msgspec.Raw) -> float:
    try:
        return msgspec.json.decode(raw, type=float)
    except msgspec.ValidationError as error:
        got = shown(bytes(raw).decode(errors="replace"))
        raise LineError("bad_score", f"got {got} for the score, expected a finite number") from error


def _hash(name: str, value: Any) -> int:
    """The hash of a JSON value, however it was spaced and escaped."""
    text = msgspec.json.encode(value, order="deterministic")
    return xxhash.xxh3_64_intdigest(name.encode() + b"=" + text)


def finite(scores: list[float]) -> list[float]:
    """The scores, if they can be added and squared."""
    if min(scores) < -LARGEST or max(scores) > LARGEST:
        raise LineError("not_finite", f"got scores {shown(scores)}, expected numbers of at most {LARGEST:g}")
    return scores


def _unreadable(line: bytes, error: Exception) -> LineError:
    """Why a line could not be parsed: Python's own parser, which admits more, tells what it is."""
    try:
        json.loads(line.decode(), parse_constant=_refuse_constant)
    except LineError as found:
        return found
    except UnicodeDecodeError as found:
        return LineError("not_utf8", f"is not UTF-8: {found.reason} at byte {found.start + 1}")
    except (ValueError, RecursionError):
        return LineError("not_json", f"is not JSON: {error}")
    return LineError("not_utf8", "holds half of a surrogate pair, such as \\ud800, which stands for no character")


def _refuse_constant(name: str) -> NoReturn:
    raise LineError("not_finite", f"holds {name}, which is no JSON; expected finite numbers")


def shown(value: object) -> str:
    """A value for a message, cut short."""
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
