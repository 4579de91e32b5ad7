"""What is being edited: text and block in step, whatever was changed last, and what is wrong with it."""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.curriculum.policies import POLICIES
from curriculum_verl.errors import ConfigError, InputError, unknown_name
from curriculum_verl.tuning import text as texts
from curriculum_verl.tuning.block import Place, get, has_room, put
from curriculum_verl.tuning.fields import Field, read

LONGEST = 200_000  # characters of a recipe
MOST_STAGES = 50
CHECKED = Callable[[dict[str, Any], Sequence[str]], tuple[CurriculumConfig, Mapping[str, int]]]
"""The config of a block and its responses by bucket; a ConfigError has all that is wrong with it."""


@dataclass(frozen=True, slots=True)
class Editing:
    """The recipe as it is being edited, and the stage whose fields are shown.

    `order` has a number for every stage, which goes where the stage goes. `comments_kept` is false from the first
    change on that took comments away.
    """

    text: str
    block: dict[str, Any]
    order: tuple[int, ...] = ()
    stage: int = 0
    comments_kept: bool = True

    @property
    def stages(self) -> list[Any]:
        """The stages, as far as there is a list of them."""
        return _stages(self.block)


def _stages(block: dict[str, Any]) -> list[Any]:
    found = block.get("stages")
    return found if isinstance(found, list) else []


def opened(text: str) -> Editing:
    """A recipe's text, as it was read."""
    block = texts.block_of(text)
    return Editing(text, block, _fresh(len(_stages(block))))


def placed(field: Field, order: Sequence[int], now: Sequence[int]) -> Field | None:
    """The field with its place in the block when the stages stand in another order; None if its stage is gone."""
    if len(field.place) < 2 or field.place[0] != "stages":
        return field
    stage = field.place[1]
    if not isinstance(stage, int) or stage >= len(order) or order[stage] not in now:
        return None
    return replace(field, place=("stages", now.index(order[stage]), *field.place[2:]))


def with_field(editing: Editing, field: Field, value: Any) -> Editing:
    """One field has another value; an InputError or ConfigError says why it cannot have it.

    An empty field is no value while something stands at its place: it may be about to be typed anew.
    """
    wanted = read(field, value)
    if wanted is None and field.kind != "switch" and get(editing.block, field.place) is not None:
        what = "a number" if field.kind == "number" else "a value"
        raise InputError(f"got nothing, expected {what}; the text takes the key itself away")
    if not has_room(editing.block, field.place):
        raise InputError("what it belongs to is no mapping; mend the text")
    block = put(editing.block, field.place, wanted)
    if field.name == "policy":  # another policy knows nothing of these parameters
        block["policy"] = {"name": value}
    return _next(editing, texts.rewrite(editing.text, block), block, editing.order)


def with_stage(editing: Editing, stage: Any) -> Editing:
    """The fields of another stage are shown."""
    known = stage if isinstance(stage, int) and 0 <= stage < len(editing.stages) else editing.stage
    return replace(editing, stage=known)


def with_text(editing: Editing, text: str) -> Editing:
    """The whole text is another; a ConfigError says why it cannot be."""
    if len(text) > LONGEST:
        raise ConfigError([f"got {len(text):,} characters, expected at most {LONGEST:,}"], "the text")
    block = texts.block_of(text)
    count, known = len(_stages(block)), editing.order
    order = (*known[:count], *_fresh(count - len(known)))
    return replace(editing, text=text, block=block, order=order, stage=max(0, min(editing.stage, count - 1)))


_numbers = itertools.count()


def _fresh(count: int) -> tuple[int, ...]:
    return tuple(itertools.islice(_numbers, max(count, 0)))


def with_stage_after(editing: Editing) -> Editing:
    """A copy of the stage that is shown stands after it; between the two, a stage needs an exit."""
    if not editing.stages or len(editing.stages) >= MOST_STAGES:
        return editing
    block = deepcopy(editing.block)
    at = editing.stage
    copy = deepcopy(block["stages"][at])
    names = {str(get(stage, ("name",))) for stage in editing.stages}
    if isinstance(copy, dict):
        copy["name"] = next(name for n in range(2, MOST_STAGES + 3) if (name := f"{copy.get('name')}_{n}") not in names)
    block["stages"].insert(at + 1, copy)
    order = (*editing.order[: at + 1], *_fresh(1), *editing.order[at + 1 :])
    written = texts.insert_stage(editing.text, at + 1, block)
    return _next(replace(editing, stage=at + 1), written, block, order)


def without_stage(editing: Editing) -> Editing:
    """The stage that is shown is gone."""
    if len(editing.stages) < 2:
        return editing
    block = deepcopy(editing.block)
    del block["stages"][editing.stage]
    written = texts.remove_stage(editing.text, editing.stage, block)
    order = (*editing.order[: editing.stage], *editing.order[editing.stage + 1 :])
    return _next(replace(editing, stage=min(editing.stage, len(block["stages"]) - 1)), written, block, order)


def with_stage_moved(editing: Editing, by: int) -> Editing:
    """The stage that is shown and its neighbour, -1 or +1, are the other way round."""
    other = editing.stage + by
    if not 0 <= other < len(editing.stages):
        return editing
    block = deepcopy(editing.block)
    first = min(editing.stage, other)
    block["stages"][first], block["stages"][first + 1] = block["stages"][first + 1], block["stages"][first]
    order = [*editing.order]
    order[first : first + 2] = order[first + 1], order[first]
    return _next(replace(editing, stage=other), texts.swap_stages(editing.text, first, block), block, tuple(order))


def _next(editing: Editing, written: texts.Written, block: dict[str, Any], order: tuple[int, ...]) -> Editing:
    kept = editing.comments_kept and written.comments_kept
    return replace(editing, text=written.text, block=block, order=order, comments_kept=kept)


def check(
    editing: Editing, checked: CHECKED, buckets: Sequence[str], own: str | None
) -> tuple[tuple[CurriculumConfig, Mapping[str, int]] | None, list[str]]:
    """What the recipe comes to if it is valid, and every problem that the loader names.

    A policy by dotted path is code that would be loaded: the page takes none but the one of the recipe it opened.
    """
    name = get(editing.block, ("policy", "name"))
    if isinstance(name, str) and name not in POLICIES and name != own:
        known = [*POLICIES, *([own] if own else [])]
        return None, [f"curriculum.policy.name: {unknown_name('policy', name, known)}; the page loads no other code"]
    try:
        return checked(editing.block, buckets), []
    except ConfigError as error:
        return None, list(error.problems)


_STAGE = re.compile(r"curriculum\.stages\[(\d+)\]")


def stage_of(problem: str) -> int | None:
    """The stage that a problem is about."""
    found = _STAGE.match(problem)
    return int(found[1]) if found else None


def group_of(problem: str, fields: Sequence[Field], block: Any) -> str | None:
    """The group of the field that a problem is about, of those that are shown."""
    found = [(0, "")]
    for field in fields:
        for place in {field.place, field.place[:-1]}:  # a mix as a whole, too
            path = problem_path(place, block)
            of_no_field = not place or (place[0] == "stages" and len(place) == 2)
            if not of_no_field and problem.startswith((f"{path}.", f"{path}[", f"{path}:")):
                found.append((len(path), field.group))
    return max(found)[1] or None


def problem_path(place: Place, block: Any) -> str:
    """The path by which the loader names a place."""
    path = "curriculum"
    for position, key in enumerate(place):
        path += f"[{key}]" if isinstance(key, int) else f".{key}"
        if position == 1 and place[0] == "stages":
            name = get(block, (*place[:2], "name"))
            path += f" ({name})" if isinstance(name, str) else ""
    return path
