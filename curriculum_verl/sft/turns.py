"""Where the assistant's turns stand in the text of a chat, whatever the template makes of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curriculum_verl.errors import InputError

Message = Mapping[str, Any]
Render = Callable[[Sequence[Message], bool], str]  # a chat, and whether the assistant is asked at its end

STAND_IN = "\ue000"  # a private character: no template and no tokenizer knows it
SAYING = ("content", "tool_calls", "reasoning_content", "reasoning", "thinking")  # by which a message says something


@dataclass(frozen=True, slots=True)
class Turn:
    """From where to where it stands, its end of turn included; `unsaid` if nothing is rendered of what it says."""

    first: int
    end: int
    unsaid: bool = False


def find_turns(render: Render, messages: Sequence[Message], text: str, stops: Iterable[str]) -> list[Turn]:
    """The turns of the assistant in the text of the whole chat; `stops` are the tokenizer's special tokens."""
    finder = _Finder(render, messages, text, sorted(stops, key=len, reverse=True))
    turns: list[Turn] = []
    for number, message in enumerate(messages):
        if message["role"] == "assistant":
            after = turns[-1].end if turns else 0
            found = finder.as_added(number)
            # A template may render an earlier turn by what comes later: Qwen3 leaves its thoughts out.
            turns.append(found if found is not None else finder.as_replaced(number, after))
    return turns


class _Finder:
    """Renders a chat in other ways, and compares."""

    def __init__(self, render: Render, messages: Sequence[Message], text: str, stops: Sequence[str]):
        self._render, self._messages, self._text, self._stops = render, messages, text, stops

    def _rendered(self, messages: Sequence[Message], *, ask: bool = False) -> str | None:
        try:
            return self._render(messages, ask)
        except InputError:  # the template wants more messages, or other ones
            return None

    def as_added(self, number: int) -> Turn | None:
        """What a turn adds to the chat before it, if the text begins with both."""
        if number == 0:
            return None  # templates expect somebody to have spoken before the assistant is asked
        before = self._rendered(self._messages[:number], ask=True)
        after = self._rendered(self._messages[: number + 1])
        if before is None or after is None or len(before) >= len(after):
            return None
        fits = self._text.startswith(before) and self._text.startswith(after)
        return self._turn(number, len(before), len(after)) if fits else None

    def as_replaced(self, number: int, after: int) -> Turn:
        """The part of the text that changes when the message does, from the beginning of the turn to its end."""
        for other, is_whole in _stand_ins(self._messages[number]):
            changed = self._rendered([*self._messages[:number], other, *self._messages[number + 1 :]])
            if changed is None or STAND_IN not in changed:
                continue
            common = _common(self._text, changed)
            end = len(self._text) - min(_common(self._text[::-1], changed[::-1]), len(self._text) - common)
            asked = self._asked(number, common, after)
            limit = self._next(number, common)
            stop = self._stop(number, common, end, limit)
            # A change of a part alone says neither where the turn begins nor where it ends.
            if end <= limit and (is_whole or (asked is not None and stop is not None)):
                first = common if asked is None else asked
                return self._turn(number, first, max(first, end if stop is None else stop))
        raise InputError(
            f"the chat template does not show where message {number} stands in the text; "
            "expected a template that renders every assistant message, or one with {% generation %} markers"
        )

    def _turn(self, number: int, first: int, end: int) -> Turn:
        """A turn, unsaid if there is nothing but an end of turn although the message says something."""
        shown = self._text[first:end].strip()
        closing = next((stop for stop in self._stops if shown.endswith(stop)), "")
        unsaid = not shown.removesuffix(closing).strip() and _says(self._messages[number])
        return Turn(first, end, unsaid)

    def _next(self, number: int, first: int) -> int:
        """Where the first message behind it that the template shows begins at the latest."""
        for place in range(number + 1, len(self._messages)):
            other = {**self._messages[place], "content": _stand_in(self._messages[place])}
            changed = self._rendered([*self._messages[:place], other, *self._messages[place + 1 :]])
            if changed is not None and STAND_IN in changed:
                begins = _common(self._text, changed)
                # If the message decides about earlier text, too, what stands behind it still says where it ends.
                return begins if begins >= first else len(self._text) - len(changed.rpartition(STAND_IN)[2])
        return len(self._text)

    def _asked(self, number: int, common: int, after: int) -> int | None:
        """Where the text ends most like a chat in which the assistant is asked for this turn."""
        asked = self._rendered(self._messages[:number], ask=True) if number else None
        if not asked:
            return None
        header = asked[_common(asked, self._rendered(self._messages[:number]) or "") :]
        tail = header or asked[-1:]
        found: list[tuple[int, int]] = []
        place = self._text.find(tail, after)
        while 0 <= place <= common:
            end = place + len(tail)
            if end <= common + len(header):
                found.append((_common(self._text[:end][::-1], asked[::-1]), end))
            place = self._text.find(tail, place + 1)
        return max(found)[1] if found else None

    def _stop(self, number: int, first: int, end: int, limit: int) -> int | None:
        """Behind the special token that ends the turn: the one that stands where the change ends, or its own."""
        for stop in self._stops:
            place = self._text.find(stop, max(first, end - len(stop) + 1), end + len(stop))
            if 0 <= place <= end:
                return place + len(stop)
        added = (self._rendered(self._messages[: number + 1]) or "").rstrip()
        own = next((stop for stop in self._stops if added.endswith(stop)), None)
        place = -1 if own is None else self._text.find(own, end, limit)
        return None if own is None or place < 0 else place + len(own)


def _says(message: Message) -> bool:
    for key in SAYING:
        value = message.get(key)
        if isinstance(value, str) and key != "tool_calls":
            value = value.strip()
        elif isinstance(value, list) and key == "content":
            value = "".join(part.get("text") or "" for part in value).strip()
        if value:
            return True
    return False


def _stand_in(message: Message) -> Any:
    return [{"type": "text", "text": STAND_IN}] if isinstance(message.get("content"), list) else STAND_IN


def _stand_ins(message: Message) -> Iterator[tuple[Message, bool]]:
    """Messages to compare with: another one as a whole, or of the same shape, as some templates insist on."""
    content = _stand_in(message)
    yield {"role": message["role"], "content": content}, True
    calls = [_renamed(call) for call in message.get("tool_calls") or ()]
    yield {**message, "content": content, **({"tool_calls": calls} if calls else {})}, False


def _renamed(call: Any) -> Any:
    if not isinstance(call, Mapping):
        return call
    if isinstance(call.get("function"), Mapping):
        return {**call, "function": {**call["function"], "name": STAND_IN}}
    return {**call, "name": STAND_IN}


def _common(one: str, other: str) -> int:
    """The length of the common beginning."""
    shorter = min(len(one), len(other))
    return next((n for n in range(shorter) if one[n] != other[n]), shorter)
