"""A response cut at its tags into text, thoughts, calls and answers."""

import re
from collections.abc import Iterator
from typing import Literal

Kind = Literal["text", "thought", "call", "unclosed", "answer"]

_TAG = re.compile(r"</?(?:think|tool_call|answer)>")


def cut_at_tags(text: str) -> Iterator[tuple[Kind, str]]:
    """The text cut at its tags. A thought begins before the text where the chat template has opened it."""
    tags = list(_TAG.finditer(text)) if "</" in text or "<t" in text or "<a" in text else []
    names = [tag[0] for tag in tags]
    last = {name: at for at, name in enumerate(names)}
    at = position = 0
    if "</think>" in last and (close := names.index("</think>")) < _first(names, "<think>"):
        yield "thought", text[: tags[close].start()]
        at, position = close + 1, tags[close].end()
    while at < len(tags):
        name, start = names[at], tags[at].end()
        yield "text", text[position : tags[at].start()]
        end = at
        kind: Kind = "text"
        if name == "<think>":
            closing = ("</think>",) if last.get("</think>", -1) > at else ("<tool_call>", "<answer>")
            end, kind = _next(names, at + 1, closing), "thought"
        elif name == "<answer>":
            end = _next(names, at + 1, ("</answer>",)) if last.get("</answer>", -1) > at else len(names)
            kind = "answer"
        elif name == "<tool_call>":
            end = at + 1
            kind = "call" if names[end : end + 1] == ["</tool_call>"] else "unclosed"
        if end == at:  # a closing tag that nothing opened
            at, position = at + 1, start
            continue
        stop = tags[end].start() if end < len(tags) else len(text)
        yield kind, text[start:stop]
        closed = end < len(tags) and names[end].startswith("</") and kind != "unclosed"
        at, position = (end + 1, tags[end].end()) if closed else (end, stop)
    yield "text", text[position:]


def _first(names: list[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _next(names: list[str], at: int, wanted: tuple[str, ...]) -> int:
    while at < len(names) and names[at] not in wanted:
        at += 1
    return at
