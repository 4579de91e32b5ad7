"""A chat as tokens, with a loss on what the assistant says and nothing else."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from curriculum_verl.errors import InputError

Message = Mapping[str, Any]
Span = tuple[int, int]

_MARKER = re.compile(r"\{%-?\s*generation\b")
_STAND_IN = "\ue000"  # a private character: no template and no tokenizer knows it


@dataclass(frozen=True, slots=True)
class Encoded:
    """Tokens, and for each whether the assistant said it."""

    tokens: list[int]
    spoken: list[bool]


def encode(tokenizer: Any, messages: Sequence[Message], tools: Any = None) -> Encoded:
    """Tokens of a whole chat; an end of turn that the model has to learn to say counts as the assistant's."""
    if _MARKER.search(tokenizer.chat_template or ""):
        marked = tokenizer.apply_chat_template(
            messages, tools=tools, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        return Encoded(list(marked["input_ids"]), [bool(value) for value in marked["assistant_masks"]])
    text = render(tokenizer, messages, tools)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    tokens, places = list(encoded["input_ids"]), encoded["offset_mapping"]
    special = set(tokenizer.all_special_ids)
    spoken = [False] * len(tokens)
    for first, end in spans(tokenizer, messages, text, tools):
        inside = [n for n, (left, right) in enumerate(places) if first <= left < right <= end]
        ends = [n for n in inside if tokens[n] in special]
        for n in inside:  # what the template puts after the end of turn is never asked of the model
            spoken[n] = not ends or n <= ends[-1]
    return Encoded(tokens, spoken)


def text_of(message: Message) -> str:
    """What a message says, without its images."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def render(tokenizer: Any, messages: Sequence[Message], tools: Any = None, *, ask: bool = False) -> str:
    """A chat as text; with `ask` it ends where the assistant has to begin."""
    text: str = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=ask)
    return text


def spans(tokenizer: Any, messages: Sequence[Message], text: str, tools: Any = None) -> Iterator[Span]:
    """Where the assistant's turns stand in the text."""
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        found = _span_of_turn(tokenizer, messages, number, text, tools)
        # The template renders an earlier turn by what comes later: Qwen3 leaves its thoughts out.
        yield found if found is not None else _span_of_content(tokenizer, messages, number, text, tools)


def _span_of_turn(tokenizer: Any, messages: Sequence[Message], number: int, text: str, tools: Any) -> Span | None:
    """What a turn adds to the chat before it, if the text begins with both."""
    if number == 0:
        return None  # templates expect somebody to have spoken before the assistant is asked
    try:
        before = render(tokenizer, messages[:number], tools, ask=True)
        after = render(tokenizer, messages[: number + 1], tools)
    except TemplateError:  # the template takes whole chats only
        return None
    fits = text.startswith(before) and text.startswith(after) and len(before) < len(after)
    return (len(before), len(after)) if fits else None


def _span_of_content(tokenizer: Any, messages: Sequence[Message], number: int, text: str, tools: Any) -> Span:
    """The part of the text that changes when the message does, with the end of turn behind it."""
    content = messages[number].get("content") or ""
    stand_in = _STAND_IN if isinstance(content, str) else [{"type": "text", "text": _STAND_IN}]
    other = [*messages[:number], {**messages[number], "content": stand_in}, *messages[number + 1 :]]
    changed = render(tokenizer, other, tools)
    first = _common(text, changed)
    end = len(text) - min(_common(text[::-1], changed[::-1]), len(text) - first)
    if first >= end and text_of(messages[number]).strip():
        raise InputError(
            f"the chat template does not show where message {number} stands in the text; "
            "expected a template that renders every assistant message, or one with {% generation %} markers"
        )
    stop = next((stop for stop in _stops(tokenizer) if text.startswith(stop, end)), "")
    return first, end + len(stop)


def _stops(tokenizer: Any) -> list[str]:
    return sorted((token for token in tokenizer.all_special_tokens if token), key=len, reverse=True)


def _common(one: str, other: str) -> int:
    """The length of the common beginning."""
    shorter = min(len(one), len(other))
    return next((n for n in range(shorter) if one[n] != other[n]), shorter)
