"""A chat as tokens, with a loss on what the assistant says and nothing else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from curriculum_verl.errors import InputError
from curriculum_verl.sft.turns import Message, Turn, find_turns

_MARKER = re.compile(r"\{%-?\s*generation\b")
_CANNOT = (TemplateError, TypeError, ValueError, KeyError, AttributeError)  # what a template raises for a chat


@dataclass(frozen=True, slots=True)
class Encoded:
    """Tokens, and for each whether the assistant said it; `unsaid` turns are rendered as nothing and have no loss."""

    tokens: list[int]
    spoken: list[bool]
    unsaid: int = 0


def encode(tokenizer: Any, messages: Sequence[Message], tools: Any = None) -> Encoded:
    """Tokens of a whole chat; an end of turn that the model has to learn to say counts as the assistant's."""
    text = render(tokenizer, messages, tools)
    if _MARKER.search(tokenizer.chat_template or ""):
        marked = tokenizer.apply_chat_template(
            messages, tools=tools, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        return Encoded(list(marked["input_ids"]), [bool(value) for value in marked["assistant_masks"]])
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    tokens, places = list(encoded["input_ids"]), encoded["offset_mapping"]
    stops = {token for token in tokenizer.all_special_tokens if token}
    turns = find_turns(lambda chat, ask: render(tokenizer, chat, tools, ask=ask), messages, text, stops)
    said = [turn for turn in turns if not turn.unsaid]
    spoken = _spoken(said, text, tokens, places, set(tokenizer.all_special_ids))
    return Encoded(tokens, spoken, len(turns) - len(said))


def _spoken(
    turns: Sequence[Turn], text: str, tokens: Sequence[int], places: Sequence[tuple[int, int]], special: set[int]
) -> list[bool]:
    """Which tokens lie in a turn."""
    spoken = [False] * len(tokens)
    for turn in turns:
        inside = [n for n, (left, right) in enumerate(places) if turn.first <= left < right <= turn.end]
        ends = [n for n in inside if tokens[n] in special]
        # What the template puts after the end of turn is never asked of the model.
        closed = bool(ends) and not text[places[ends[-1]][1] : turn.end].strip()
        for n in inside:
            spoken[n] = not closed or n <= ends[-1]
    return spoken


def text_of(message: Message) -> str:
    """What a message says, without its images."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def render(tokenizer: Any, messages: Sequence[Message], tools: Any = None, *, ask: bool = False) -> str:
    """A chat as text; with `ask` it ends where the assistant has to begin."""
    try:
        text: str = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=ask)
    except _CANNOT as error:
        raise InputError(f"the chat template cannot render this chat: {type(error).__name__}: {error}") from error
    return text
