"""All of a rollout that training needs: prompt, responses, scores, ground truth."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from curriculum_verl.rollouts.fields import Fields
from curriculum_verl.rollouts.scores import LineError, ScoreReader

Message = dict[str, str]  # role and content


@dataclasses.dataclass(frozen=True, slots=True)
class Rollout:
    """A prompt with its scored responses. Ground truth and extra info are text: JSON where they were none before."""

    key: int
    id: str
    part: bool  # one response of a prompt that has more lines
    messages: list[Message]
    scores: list[float]
    responses: list[str]  # as many as scores, or none where none were logged
    ground_truth: str | None
    ground_truth_is_json: bool
    data_source: str | None
    ability: str | None
    extra_info: str | None

    def joined(self, other: "Rollout") -> "Rollout":
        """The same prompt, with the responses of another of its lines."""
        both = bool(self.responses) == bool(other.responses)
        responses = self.responses + other.responses if both else []
        return dataclasses.replace(self, scores=self.scores + other.scores, responses=responses)


class _Part(msgspec.Struct):
    type: str = "text"
    text: str | None = None


class _Message(msgspec.Struct):
    role: str = "assistant"
    content: str | list[str | _Part] | None = None


class _PromptMessage(_Message):
    role: str | UnsetType = UNSET  # type: ignore[assignment]


class _Choice(msgspec.Struct):
    message: _Message | None = None
    text: str | None = None
    content: str | list[str | _Part] | None = None


class _Response(msgspec.Struct):
    choices: list[str | _Choice] = []


_COLUMNS: dict[str, Any] = {
    "prompt": list[_PromptMessage] | str | None,
    "response": _Response | list[str | _Choice] | str | None,
    "ground_truth": msgspec.Raw,
    "data_source": str | None,
    "ability": str | None,
    "extra_info": msgspec.Raw,
}


class ContentReader(ScoreReader):
    """Reads the same lines as ScoreReader, with all that they hold for training."""

    def __init__(self, fields: Fields):
        columns = {f"{role} {path}": (path, kind) for role, kind in _COLUMNS.items() for path in fields[role]}
        dump = {
            "dump input": ("input", str | None),
            "dump output": ("output", str | None),
            "dump gts": ("gts", msgspec.Raw),
        }
        super().__init__(fields, columns | dump)
        self._fields = fields

    def rollout(self, line: bytes) -> Rollout:
        """What a line holds; a LineError says what is wrong with it."""
        try:
            return self._rollout(self._decode(line))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise self.bad_line(line, error) from error

    def _rollout(self, row: Any) -> Rollout:
        scored = self.scored(row)
        truth = self._first(row, "ground_truth")
        if scored.part:
            messages = [{"role": "user", "content": self._dump_prompt(row)}]
            responses = [self._get["dump output"](row) or ""]
            truth = self._get["dump gts"](row) if truth is None else truth
        else:
            messages = self._said(row)
            responses = _responses(self._first(row, "response"))
        if responses and len(responses) != len(scored.scores):
            raise LineError(
                "responses_do_not_match",
                f"got {len(responses)} responses and {len(scored.scores)} rewards, expected as many of each",
            )
        text, is_json = _as_text(truth)
        found = self.id_of(row)
        return Rollout(
            key=scored.key,
            id=found[1] if found else f"{scored.key:016x}",
            part=scored.part,
            messages=messages,
            scores=scored.scores,
            responses=responses,
            ground_truth=text,
            ground_truth_is_json=is_json,
            data_source=self._first(row, "data_source"),
            ability=self._first(row, "ability"),
            extra_info=_as_json(self._first(row, "extra_info")),
        )

    def _first(self, row: Any, role: str) -> Any:
        """What stands in the first field of the role that the row has, or None."""
        for path in self._fields[role]:
            found = self._get[f"{role} {path}"](row)
            if found is not UNSET and found is not None and not _is_null(found):
                return found
        return None

    def _dump_prompt(self, row: Any) -> str:
        text: str | None = self._get["dump input"](row)
        if not text:
            raise LineError("no_prompt", "got no prompt, expected its text in input")
        return text

    def _messages(self, row: Any) -> list[Message]:
        found = self._first(row, "prompt")
        if not found:
            raise LineError(
                "no_prompt", f"got no prompt, expected text or messages in {' or '.join(self._fields['prompt'])}"
            )
        if isinstance(found, str):
            return [{"role": "user", "content": found}]
        while len(found) > 1 and found[-1].role == "assistant":
            found.pop()  # a logged conversation ends with the response
        return [{"role": _role(message), "content": _text(message.content)} for message in found]

    def _said(self, row: Any) -> list[Message]:
        """The messages of a prompt that says something."""
        messages = self._messages(row)
        if not any(message["content"].strip() for message in messages):
            raise LineError("no_prompt", "got a prompt without a word in it, expected text")
        return messages


def _is_null(found: Any) -> bool:
    return isinstance(found, msgspec.Raw) and bytes(found) == b"null"


def _role(message: _PromptMessage) -> str:
    if message.role is UNSET:
        raise LineError("wrong_type", "got a message without a role, expected role and content")
    return message.role


def _responses(found: Any) -> list[str]:
    if found is None:
        return []
    if isinstance(found, str):
        return [found]
    choices: Sequence[str | _Choice] = found.choices if isinstance(found, _Response) else found
    return [choice if isinstance(choice, str) else _choice_text(choice) for choice in choices]


def _choice_text(choice: _Choice) -> str:
    if choice.message is not None:  # its content is null where a model has only called tools
        return "" if choice.message.content is None else _text(choice.message.content)
    text = choice.content if choice.text is None else choice.text
    if text is None:
        raise LineError("wrong_type", "got a response without text, expected message.content, content or text")
    return _text(text)


def _text(content: str | list[str | _Part] | None) -> str:
    """A message's text; pictures and the like have no place in these files."""
    if content is None:
        raise LineError("wrong_type", "got a message without content, expected role and content")
    if isinstance(content, str):
        return content
    for part in content:
        if not isinstance(part, str) and part.text is None:
            raise LineError("not_text", f"got a message part of type {part.type!r} without text, expected text only")
    return "".join(part if isinstance(part, str) else part.text or "" for part in content)


def _as_text(raw: Any) -> tuple[str | None, bool]:
    """A JSON value as text, and whether that text is JSON: a text is itself, null is None."""
    if raw is None or raw is UNSET:
        return None, False
    data = bytes(raw)
    if data.startswith(b'"'):
        return msgspec.json.decode(data, type=str), False
    return (None, False) if data == b"null" else (data.decode(), True)


def _as_json(raw: Any) -> str | None:
    """A JSON value as it stands there; null is None."""
    text = None if raw is None or raw is UNSET else bytes(raw).decode()
    return None if text == "null" else text
