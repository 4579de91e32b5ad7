"""What stays the same while a page is open, and how its fields look for a recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curriculum_verl.simulation.prompts import Prompts
from curriculum_verl.simulation.setup import Setup
from curriculum_verl.tuning.block import get
from curriculum_verl.tuning.fields import KNOBS, Field, Shown, exit_knobs, policy_fields, rules, shown, stage_fields
from curriculum_verl.tuning.saving import Saving
from curriculum_verl.tuning.session import CHECKED, Editing

ABSENT = Shown("", "", visible=False)


@dataclass(frozen=True, slots=True)
class Tuning:
    """The recipe as it was opened, what it is played on and with, and where it may be saved."""

    path: Path
    opened: Editing
    prompts: Prompts
    checked: CHECKED
    setting: Setup
    saving: Saving
    logged: bool
    told: str  # of the run: its numbers and where they come from

    @property
    def own_policy(self) -> str | None:
        """The policy of the recipe that was opened, if it is not one of ours."""
        name = get(self.opened.block, ("policy", "name"))
        return name if isinstance(name, str) and ":" in name else None

    def names(self) -> list[str]:
        """The names of all fields that a page has, in an order that stays."""
        stage = [field.name for field in stage_fields(self.prompts.buckets, 0)]
        pools = [*(f"knob_{n}" for n in range(KNOBS)), *(f"parameter_{n}" for n in range(KNOBS))]
        return [*stage, "policy", *pools, *(field.name for field in rules())]

    def fields(self, editing: Editing) -> dict[str, Field]:
        """The fields there are for a recipe, by name; pools may have less than a page has room for."""
        found = [*stage_fields(self.prompts.buckets, editing.stage), *exit_knobs(editing.block, editing.stage)]
        found += [*policy_fields(editing.block, self.own_policy), *rules()]
        return {one.name: one for one in found}

    def looks(self, fields: Mapping[str, Field], editing: Editing) -> dict[str, Shown]:
        """How every field of the page looks."""
        return {name: shown(fields[name], editing.block) if name in fields else ABSENT for name in self.names()}


def titles(editing: Editing) -> Sequence[tuple[str, int]]:
    """The stages to choose from."""
    return [(f"{n + 1}. {get(stage, ('name',))}", n) for n, stage in enumerate(editing.stages)]
