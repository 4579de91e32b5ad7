"""What is being edited: text and block in step, whatever was changed last, and what is wrong with it."""

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.curriculum.policies import POLICIES
from curriculum_verl.errors import ConfigError, InputError, unknown_name
from curriculum_verl.tuning import text as texts
from curriculum_verl.tuning.block import Place, get, put
from curriculum_verl.tuning.fields import Field, read

LONGEST = 200_000  # characters of a recipe
MOST_STAGES = 50
CHECKED = Callable[[dict[str, Any], Sequence[str]], CurriculumConfig]


@dataclass(frozen=True, slots=True)
class Editing:
    """The recipe as it is being edited, and the stage whose fields are shown.

    `unread` holds, by field, why what stands in it is no value; the block is then as it was. `comments_kept` is false
    from the first change on that wrote the block anew.
    """

    text: str
    block: dict[str, Any]
    stage: int = 0
    unread: tuple[tuple[str, str], ...] = ()
    comments_kept: bool = True

    @property
    def stages(self) -> list[Any]:
        """The stages, as far as there is a list of them."""
        found = self.block.get("stages")
        return found if isinstance(found, list) else []


def opened(text: str) -> Editing:
    """A recipe's text, as it was read."""
    return Editing(text, texts.block_of(text))


def with_field(editing: Editing, field: Field, value: Any) -> Editing:
    """One field has another value."""
    unread = {name: problem for name, problem in editing.unread if name != field.name}
    try:
        read_value = read(field, value)
        block = put(editing.block, field.place, read_value)
        if field.name == "policy":  # another policy knows nothing of these parameters
            block["policy"] = {"name": value}
        written = texts.rewrite(editing.text, block)
    except InputError as error:
        return replace(editing, unread=tuple({**unread, field.name: str(error)}.items()))
    except ConfigError as error:
        return replace(editing, unread=tuple({**unread, field.name: error.problems[0]}.items()))
    return _next(replace(editing, unread=tuple(unread.items())), written, block)


def has(editing: Editing, field: Field, value: Any) -> bool:
    """Whether a field's value is what stands in the block already."""
    try:
        return not is_unread(editing, field.name) and bool(read(field, value) == get(editing.block, field.place))
    except InputError:
        return False


def is_unread(editing: Editing, name: str) -> bool:
    """Whether what stands in a field is no value."""
    return any(unread == name for unread, _ in editing.unread)


def with_stage(editing: Editing, stage: Any) -> Editing:
    """The fields of another stage are shown; what could not be read in those of this one is forgotten."""
    known = stage if isinstance(stage, int) and 0 <= stage < len(editing.stages) else 0
    return replace(editing, stage=known, unread=tuple(pair for pair in editing.unread if pair[0] == "text"))


def with_text(editing: Editing, text: str) -> Editing:
    """The whole text is another."""
    try:
        if len(text) > LONGEST:
            raise ConfigError([f"got {len(text):,} characters, expected at most {LONGEST:,}"], "the text")
        block = texts.block_of(text)
    except ConfigError as error:
        return replace(editing, unread=(("text", error.problems[0]),))
    stages = block.get("stages")
    last = len(stages) - 1 if isinstance(stages, list) and stages else 0
    return replace(editing, text=text, block=block, stage=min(editing.stage, last), unread=())


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
    return _next(replace(editing, stage=at + 1), texts.insert_stage(editing.text, at + 1, block), block)


def without_stage(editing: Editing) -> Editing:
    """The stage that is shown is gone."""
    if len(editing.stages) < 2:
        return editing
    block = deepcopy(editing.block)
    del block["stages"][editing.stage]
    written = texts.remove_stage(editing.text, editing.stage, block)
    return _next(replace(editing, stage=min(editing.stage, len(block["stages"]) - 1)), written, block)


def with_stage_moved(editing: Editing, by: int) -> Editing:
    """The stage that is shown and its neighbour, -1 or +1, are the other way round."""
    other = editing.stage + by
    if not 0 <= other < len(editing.stages):
        return editing
    block = deepcopy(editing.block)
    first = min(editing.stage, other)
    block["stages"][first], block["stages"][first + 1] = block["stages"][first + 1], block["stages"][first]
    return _next(replace(editing, stage=other), texts.swap_stages(editing.text, first, block), block)


def _next(editing: Editing, written: texts.Written, block: dict[str, Any]) -> Editing:
    kept = editing.comments_kept and written.comments_kept
    return replace(editing, text=written.text, block=block, comments_kept=kept)


def check(
    editing: Editing, checked: CHECKED, buckets: Sequence[str], own: str | None
) -> tuple[CurriculumConfig | None, list[str]]:
    """The config if the recipe is valid, and every problem that the loader names.

    A policy by dotted path is code that would be loaded: the page takes none but the one of the recipe it opened.
    """
    name = get(editing.block, ("policy", "name"))
    if isinstance(name, str) and name not in POLICIES and name != own:
        known = [*POLICIES, *([own] if own else [])]
        return None, [f"curriculum.policy.name: {unknown_name('policy', name, known)}; the page loads no other code"]
    try:
        config = checked(editing.block, buckets)
    except ConfigError as error:
        return None, list(error.problems)
    return config, []


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
