"""Where in a text the values of its curriculum block stand, and the text with one of them changed there.

Comments, order and style around the change stay. What cannot be done that way raises NotInPlace.
"""

from collections.abc import Callable
from typing import Any

import yaml

from curriculum_verl.curriculum.sources import ROOT
from curriculum_verl.tuning.block import Change, Place
from curriculum_verl.tuning.comments import LOADER
from curriculum_verl.tuning.dumping import flow


class NotInPlace(Exception):  # noqa: N818  # a reason to take the other way, not an error
    """The change cannot be made inside the text."""


def block_range(text: str) -> tuple[int, int]:
    """Where the block begins, with its key if it has one, and where its content ends."""
    root = yaml.compose(text, LOADER)
    if not isinstance(root, yaml.MappingNode):
        raise NotInPlace
    for key, value in root.value:
        if key.value == ROOT:
            return key.start_mark.index, _end(value)
    return root.start_mark.index, _end(root)


def changed(text: str, change: Change) -> str:
    """The text with one change of its block."""
    parent, key = _find(text, change.place[:-1]), change.place[-1]
    if change.gone:
        return _without(text, parent, key)
    present = _child(parent, key)
    if present is None:
        return _with(text, parent, key, change.value)
    start, end = present.start_mark.index, _end(present)
    if start == end:  # nothing stands behind the colon, not even a space
        return f"{text[:start]} {flow(change.value)}{text[end:]}"
    return f"{text[:start]}{flow(change.value)}{text[end:]}"


def with_other_items(text: str, change: Change) -> str:
    """The text with a list that has other items at one place, and around it those that it had."""
    old, new = change.old, change.value
    first = next(
        (n for n, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), min(len(old), len(new))
    )
    room = min(len(old), len(new)) - first
    last = next((n for n in range(room) if old[-1 - n] != new[-1 - n]), room)

    def arrange(items: list[str], column: int) -> list[str]:
        fresh = [f"{' ' * column}- {flow(item)}\n" for item in new[first : len(new) - last]]
        return [*items[:first], *fresh, *items[len(old) - last :]]

    return with_items(text, change.place, arrange)


def with_items(text: str, place: Place, arrange: Callable[[list[str], int], list[str]]) -> str:
    """The text with the items of a list arranged otherwise.

    `arrange` gets them as they stand, each with the comment above it, and the column of their dashes.
    """
    node = _find(text, place)
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
        raise NotInPlace
    lines = text.splitlines(keepends=True)
    column = node.start_mark.column
    starts = [_with_comment(lines, item.start_mark.line, column) for item in node.value]
    end = text.count("\n", 0, _end(node)) + 1
    if not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    items = ["".join(lines[a:b]) for a, b in zip(starts, [*starts[1:], end], strict=True)]
    return "".join([*lines[: starts[0]], *arrange(items, column), *lines[end:]])


def _with_comment(lines: list[str], line: int, column: int) -> int:
    """The first line of what belongs to the item on a line."""
    while line and lines[line - 1].lstrip().startswith("#") and _column(lines[line - 1]) >= column:
        line -= 1
    return line


def _column(line: str) -> int:
    return len(line) - len(line.lstrip())


def _find(text: str, place: Place) -> Any:
    node: Any = yaml.compose(text, LOADER)
    node = _child(node, ROOT) or node
    for key in place:
        node = _child(node, key)
        if node is None:
            raise NotInPlace
    return node


def _child(node: Any, key: str | int) -> Any:
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key]
    return None


def _end(node: Any) -> int:
    """Where the content of a node ends; what PyYAML calls the end of a block lies after the comments behind it."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _with(text: str, parent: Any, key: Any, value: Any) -> str:
    """A mapping with one key more, at its end."""
    if not isinstance(parent, yaml.MappingNode):
        raise NotInPlace
    entry = f"{flow(key)}: {flow(value)}"
    if parent.flow_style:
        end = parent.end_mark.index - 1
        return text[:end].rstrip() + (", " if parent.value else "") + entry + text[end:]
    line = text.find("\n", _end(parent))
    line = len(text) if line < 0 else line
    column: int = parent.value[0][0].start_mark.column
    return text[:line] + "\n" + " " * column + entry + text[line:]


def _without(text: str, parent: Any, key: Any) -> str:
    """A mapping without a key."""
    if not isinstance(parent, yaml.MappingNode) or len(parent.value) < 2 or _child(parent, key) is None:
        raise NotInPlace
    at = next(position for position, (name, _) in enumerate(parent.value) if name.value == str(key))
    start: int = parent.value[at][0].start_mark.index
    end = _end(parent.value[at][1])
    if parent.flow_style:
        if at:
            return text[: _end(parent.value[at - 1][1])] + text[end:]
        following: int = parent.value[1][0].start_mark.index
        return text[:start] + text[following:]
    line = text.rfind("\n", 0, start) + 1
    if text[line:start].strip():  # the first key of a list's item stands behind its dash
        raise NotInPlace
    after = text.find("\n", end)
    return text[:line] + ("" if after < 0 else text[after + 1 :])
