"""The text of a recipe's file: what is changed in its block is changed in the text, and all else stays as it is.

A change that cannot be made inside the text writes the block anew: what it says stays, its comments do not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from curriculum_verl.curriculum.sources import ROOT, plain, read_value
from curriculum_verl.errors import ConfigError
from curriculum_verl.tuning.block import Change, changes
from curriculum_verl.tuning.comments import comments
from curriculum_verl.tuning.dumping import block, indented
from curriculum_verl.tuning.marks import NotInPlace, block_range, changed, with_items, with_other_items


@dataclass(frozen=True, slots=True)
class Written:
    """A new text, and whether all comments are still there."""

    text: str
    comments_kept: bool


def block_of(text: str) -> dict[str, Any]:
    """The curriculum block in a text; a ConfigError says why there is none."""
    data = _data(text)
    if isinstance(data, dict):
        found = data.get(ROOT) if ROOT in data else data if "stages" in data else None
        if isinstance(found, dict):
            made: dict[str, Any] = plain(found, ROOT)
            return made
    raise ConfigError([f"{ROOT}: is missing; expected a block `{ROOT}:` with at least `stages:`"], "the text")


def rewrite(text: str, new: dict[str, Any]) -> Written:
    """The text with this block instead of its own."""

    def one_by_one(text: str) -> str:
        for change in changes(block_of(text), new):
            text = _with_change(text, change)
        return text

    written = _checked(text, new, one_by_one)
    return Written(written.text, comments_kept=not comments(text) - comments(written.text))


def _with_change(text: str, change: Change) -> str:
    if isinstance(change.value, list) and isinstance(change.old, list) and change.value:
        try:
            return with_other_items(text, change)
        except NotInPlace:  # it stands on one line
            pass
    return changed(text, change)


def insert_stage(text: str, at: int, new: dict[str, Any]) -> Written:
    """The text with one stage more, which stands at that number of the new block."""

    def arrange(items: list[str], column: int) -> list[str]:
        return [*items[:at], indented(block([new["stages"][at]]), column), *items[at:]]

    return _checked(text, new, lambda text: with_items(text, ("stages",), arrange))


def remove_stage(text: str, at: int, new: dict[str, Any]) -> Written:
    """The text without a stage."""
    return _checked(
        text, new, lambda text: with_items(text, ("stages",), lambda items, _: items[:at] + items[at + 1 :])
    )


def swap_stages(text: str, at: int, new: dict[str, Any]) -> Written:
    """The text with a stage and the next one the other way round."""

    def arrange(items: list[str], column: int) -> list[str]:
        return [*items[:at], items[at + 1], items[at], *items[at + 2 :]]

    return _checked(text, new, lambda text: with_items(text, ("stages",), arrange))


def _checked(text: str, new: dict[str, Any], edit: Callable[[str], str]) -> Written:
    """The edited text if it says what it should and nothing else changed; otherwise the block is written anew."""
    try:
        edited = edit(text)
        kept = _says(edited, new, text)
    except (NotInPlace, yaml.YAMLError):  # one change may have taken away what another needs
        kept = False
    if kept:
        return Written(edited, comments_kept=True)
    edited = _anew(text, new)
    if not _says(edited, new, text):
        raise ConfigError(
            [f"{ROOT}: something else in the file refers to it, so it cannot be changed here; edit the text"],
            "the text",
        )
    return Written(edited, comments_kept=False)


def _says(edited: str, new: dict[str, Any], text: str) -> bool:
    """Whether a text has this block, and besides it what the other text has."""
    try:
        return block_of(edited) == new and _around(edited) == _around(text)
    except ConfigError:  # an anchor is gone that something refers to, say
        return False


def _around(text: str) -> dict[str, Any]:
    data = _data(text)
    return {key: value for key, value in data.items() if key != ROOT} if ROOT in data else {}


@lru_cache(maxsize=8)  # a text is asked for again and again, and by the next change
def _data(text: str) -> Any:
    try:
        return read_value(text)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or error
        raise ConfigError([f"{line}not valid YAML: {problem}"], "the text") from error
    except RecursionError:
        raise ConfigError(["not valid YAML: nested too deeply"], "the text") from None


def _anew(text: str, new: dict[str, Any]) -> str:
    start, end = block_range(text)
    named = ROOT in _data(text)
    body = f"{ROOT}:\n{indented(block(new), 2)}" if named else block(new)
    line = text.find("\n", end)
    return text[:start] + body + ("" if line < 0 else text[line + 1 :])
