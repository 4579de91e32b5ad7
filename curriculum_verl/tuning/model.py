"""What the page shows of a recipe that is being edited: made anew from it after every change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from curriculum_verl.simulation.prompts import Prompts
from curriculum_verl.tuning.block import get
from curriculum_verl.tuning.fields import KNOBS, Field, Shown, exit_knobs, policy_fields, rules, shown, stage_fields
from curriculum_verl.tuning.saving import Saving
from curriculum_verl.tuning.session import CHECKED, Editing, check, group_of, opened
from curriculum_verl.tuning.trial import Played, Setting, play

ABSENT = Shown("", None, visible=False)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What stays the same while a page is open."""

    path: Path
    text: str
    prompts: Prompts
    checked: CHECKED
    setting: Setting
    saving: Saving
    logged: bool

    @property
    def own_policy(self) -> str | None:
        """The policy of the recipe that was opened, if it is not one of ours."""
        name = get(opened(self.text).block, ("policy", "name"))
        return name if isinstance(name, str) and ":" in name else None

    def names(self) -> list[str]:
        """The names of all fields that a page has, in an order that stays."""
        stage = [field.name for field in stage_fields(self.prompts.buckets, 0)]
        pools = [*(f"knob_{n}" for n in range(KNOBS)), *(f"parameter_{n}" for n in range(KNOBS))]
        return [*stage, "policy", *pools, *(field.name for field in rules())]


@dataclass(frozen=True, slots=True)
class View:
    """The recipe as it stands, its problems, and what came of playing it.

    `played` is None while something is wrong; `last` is then the last that was valid, which the pictures stay at.
    """

    editing: Editing
    setting: Setting
    problems: tuple[str, ...] = ()
    played: Played | None = None
    last: Played | None = None
    opened: Played | None = None
    sent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # to fields of text, and not come back yet

    def fields(self, tuning: Tuning) -> dict[str, Field]:
        """The fields there are now, by name; pools may have less than a page has room for."""
        block = self.editing.block
        found = [*stage_fields(tuning.prompts.buckets, self.editing.stage), *exit_knobs(block, self.editing.stage)]
        found += [*policy_fields(block, tuning.own_policy), *rules()]
        return {one.name: one for one in found}

    def shown(self, tuning: Tuning) -> dict[str, Shown]:
        """How every field of the page looks."""
        fields = self.fields(tuning)
        return {n: shown(fields[n], self.editing.block) if n in fields else ABSENT for n in tuning.names()}

    def by_group(self, tuning: Tuning) -> dict[str, list[str]]:
        """The problems of the fields that are shown, by group; those of no field are told with all of them, above."""
        fields = self.fields(tuning)
        found: dict[str, list[str]] = {}
        for problem in self.problems:
            group = group_of(problem, list(fields.values()), self.editing.block)
            if group is not None:
                found.setdefault(group, []).append(problem)
        for name, problem in self.editing.unread:
            group = "text" if name == "text" else fields[name].group if name in fields else None
            if group is not None:
                found.setdefault(group, []).append(problem)
        return found


def first_view(tuning: Tuning) -> View:
    """The recipe as it was opened; what it comes to is what later ones are shown beside."""
    view = viewed(View(opened(tuning.text), tuning.setting), tuning)
    return replace(view, opened=view.played)


def viewed(view: View, tuning: Tuning) -> View:
    """The view with its recipe checked and played again."""
    config, problems = check(view.editing, tuning.checked, tuning.prompts.buckets, tuning.own_policy)
    unread = [f"{name.replace('_', ' ')}: {problem}" for name, problem in view.editing.unread]
    played = None if config is None or unread else play(config, tuning.prompts, view.setting)
    return replace(view, problems=(*problems, *unread), played=played, last=played or view.last)


def with_setting(view: View, tuning: Tuning, setting: Setting) -> View:
    """Another run is simulated, also of the recipe as it was opened."""
    again = viewed(replace(view, setting=setting), tuning)
    before = viewed(View(opened(tuning.text), setting), tuning)
    return replace(again, opened=before.played)


def titles(editing: Editing) -> Sequence[tuple[str, int]]:
    """The stages to choose from."""
    return [(f"{n + 1}. {get(stage, ('name',))}", n) for n, stage in enumerate(editing.stages)]
