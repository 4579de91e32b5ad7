"""A line of data read as a prompt: a chat, and what its responses are judged by."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import xxhash

from curriculum_verl.rollouts.fields import Fields
from curriculum_verl.rollouts.scores import LineError, ScoreReader, shown

Chat = list[dict[str, Any]]
MAPPING = "a mapping"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One task. `ground_truth` is as the data have it, which is what a verifier gets; `truth_is_json` says that its
    text stands for something else. `extra` is extra_info; `place` is where the prompt stands in the data.
    """

    id: str
    messages: Chat
    ground_truth: Any = None
    truth_is_json: bool = False
    data_source: str = ""
    style: str = ""
    ability: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    tools: Any = None
    place: tuple[str, int] = ("", 0)

    @property
    def truth(self) -> Any:
        """The ground truth as it was before it had to fit into a column of text."""
        return json.loads(self.ground_truth) if self.truth_is_json else self.ground_truth

    @property
    def text(self) -> str:
        """All that is said."""
        return "\n".join(message["content"] for message in self.messages)

    def identity(self) -> bytes:
        """Everything that decides about responses and scores."""
        parts = (self.id, self.messages, self.ground_truth, self.data_source, self.style, self.extra, self.tools)
        return msgspec.json.encode(parts, order="deterministic")


class PromptReader:
    """Reads lines of JSON: verl's rows, rollouts, or a prompt with its ground truth; LineError says what is wrong."""

    def __init__(self, fields: Fields):
        self._fields = fields
        self._scores = ScoreReader(fields)
        self._decode = msgspec.json.Decoder(dict[str, Any]).decode

    def __call__(self, line: bytes, place: tuple[str, int]) -> Prompt:
        """The prompt of a line."""
        try:
            row = self._decode(line)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise self._scores.bad_line(line, error) from error
        model, info = _mapping(row, "reward_model"), self._extra(row)
        messages = read_chat(self._first(row, "prompt"), self._fields["prompt"])
        truth = self._first(row, "ground_truth")
        is_json = model.get("ground_truth_format") == "json" and isinstance(truth, str)
        if is_json:
            _check_json(truth)
        return Prompt(
            id=self._id(row, info, messages),
            messages=messages,
            ground_truth=truth,
            truth_is_json=is_json,
            data_source=_text(self._first(row, "data_source"), "data_source") or "",
            style=_text(model.get("style"), "reward_model.style") or "",
            ability=_text(self._first(row, "ability"), "ability"),
            extra=info,
            tools=row.get("tools"),
            place=place,
        )

    def _first(self, row: Mapping[str, Any], role: str) -> Any:
        """What stands in the first field of the role that the row has."""
        return next((found for path in self._fields[role] if (found := _at(row, path)) is not None), None)

    def _extra(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """extra_info; what preprocessing put aside in its `original` is there as well."""
        found = self._first(row, "extra_info")
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except (ValueError, RecursionError) as error:
                raise LineError("wrong_type", f"got {shown(found)} for extra_info, expected {MAPPING}") from error
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise LineError("wrong_type", f"got {shown(found)} for extra_info, expected {MAPPING}")
        return found

    def _id(self, row: Mapping[str, Any], info: Mapping[str, Any], messages: Chat) -> str:
        """The row's own id, else that of its extra_info, else a hash of the prompt."""
        found = self._first(row, "id")
        found = info.get("id") if found is None else found
        if found is None:
            return f"{xxhash.xxh3_64_intdigest(msgspec.json.encode(messages, order='deterministic')):016x}"
        if isinstance(found, bool) or not isinstance(found, str | int | float):
            raise LineError("wrong_type", f"got {shown(found)} for the id, expected text or a number")
        return str(found)


def read_chat(found: Any, fields: tuple[str, ...] = ("prompt",)) -> Chat:
    """A prompt's messages, up to where the model has to answer."""
    if not found:
        raise LineError("no_prompt", f"got no prompt, expected text or messages in {' or '.join(fields)}")
    if isinstance(found, str):
        messages: Chat = [{"role": "user", "content": found}]
    elif isinstance(found, list):
        messages = [_message(message) for message in found]
    else:
        raise LineError("wrong_type", f"got {shown(found)} for the prompt, expected text or a list of messages")
    while len(messages) > 1 and messages[-1]["role"] == "assistant":
        messages.pop()  # a logged conversation ends with the response
    if not any(message["content"].strip() for message in messages):
        raise LineError("no_prompt", "got a prompt without a word in it, expected text")
    return messages


def _message(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise LineError("wrong_type", f"got {shown(message)} for a message, expected role and content")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if content is None and message.get("tool_calls"):
        content = ""
    if not isinstance(content, str):
        raise LineError("wrong_type", f"got {shown(content)} for a message's content, expected text")
    more = {key: value for key, value in message.items() if value is not None}  # a column has every key of every row
    return {**more, "content": content}


def _part(part: Any) -> str:
    text = part if isinstance(part, str) else part.get("text") if isinstance(part, dict) else None
    if not isinstance(text, str):
        raise LineError("not_text", f"got a message part {shown(part)} without text, expected text only")
    return text


def _at(row: Mapping[str, Any], path: str) -> Any:
    found: Any = row
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _mapping(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = row.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise LineError("wrong_type", f"got {shown(found)} for {name}, expected {MAPPING}")
    return found


def _text(found: Any, name: str) -> str | None:
    if found is not None and not isinstance(found, str):
        raise LineError("wrong_type", f"got {shown(found)} for {name}, expected text")
    return found


def _check_json(text: str) -> None:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LineError("wrong_type", f"got {shown(text)} for a ground truth that is JSON: {error}") from error
