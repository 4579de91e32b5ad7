"""One reader's desk: what the fields say is put into the recipe, and what the recipe says into the fields."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.errors import ConfigError, CurriculumError, InputError
from curriculum_verl.simulation.setup import Setup
from curriculum_verl.tuning import session
from curriculum_verl.tuning.block import get
from curriculum_verl.tuning.dumping import flow
from curriculum_verl.tuning.fields import STAGE, Field, Shown, says
from curriculum_verl.tuning.model import Tuning, titles
from curriculum_verl.tuning.playing import Playing, Recipe
from curriculum_verl.tuning.session import Editing
from curriculum_verl.tuning.sheet import Sheet, Sheets, answered, heard
from curriculum_verl.tuning.trial import LIMITS, read_setup

RUN = "run_"  # how the names of values begin that are the simulation's
MOST_PAST = 100  # steps that can be undone
MEND = "mend the text first: it is not what the fields show"
LATE = "a change had come into the text meanwhile; what was typed at that moment is not in it"


def run_values(setup: Setup) -> dict[str, Any]:
    """What the fields of the simulation show for a setup."""
    return {
        RUN + name: value if name == "learns" else flow(value)
        for name, value in setup.values().items()
        if name in (*LIMITS, "learns")
    }


class Desk:
    """The recipe as it is edited, what is wrong with it, and what came of playing it.

    `unread` has what stands in a field and is no value, with the reason: the recipe is then as it was before.
    `left` is what was not saved before the page was opened anew: the first thing that can be undone is to have left it.
    """

    def __init__(self, tuning: Tuning, left: Editing | None = None):
        self.tuning, self.editing = tuning, tuning.opened
        self.unread: dict[str, tuple[Any, str]] = {}
        self.notes: dict[str, str] = {}  # said once, by the field
        self.left = left
        self.past: list[Editing] = [] if left is None else [left]
        self._typed: frozenset[str] = frozenset()  # the fields of the last change
        self.saved_text = self.editing.text
        self.seen = tuning.saving.known()
        self.titles: list[tuple[str, int]] = list(titles(self.editing))  # as the reader sees them
        self.turn_played = 0
        fields = tuning.fields(self.editing)
        self.looks = tuning.looks(fields, self.editing)
        values: dict[str, Any] = {name: look.value for name, look in self.looks.items()}
        values |= {"text": self.editing.text, "stage": self.editing.stage, **run_values(tuning.setting)}
        self.sheets: Sheets = (Sheet(0, fields, self.editing.order, values),)
        self.playing = Playing(tuning.prompts)
        self.problems: list[str] = []
        self.config: CurriculumConfig | None = None
        self._recipe: Recipe | None = None
        self._checked: object = None
        self._setup: Setup | None = None
        self.run_wrong: dict[str, str] = {}
        self._check()

    def hear(self, number: int, form: Mapping[str, Any]) -> bool:
        """Take over what fields say, filled in on the sheet of this number; whether that is anything new."""
        self.sheets, base, said = heard(self.sheets, number, form)
        before, self.notes = self.editing, {}
        if "text" in said:
            self._text(said["text"])
        for name in said:
            if name in base.fields:
                self._field(base, name, said[name])
        if "stage" in said:
            self.arrange(lambda editing: session.with_stage(editing, said["stage"]))
        self._remember(before, frozenset(said))
        return bool(said)

    def _text(self, text: str) -> None:
        if self.sheets[-1].values["text"] != text:
            self.notes["text"] = LATE
            return
        self.unread = {}
        try:
            self.editing = session.with_text(self.editing, text)
        except ConfigError as error:
            self.unread["text"] = text, error.problems[0]

    def _field(self, base: Sheet, name: str, value: Any) -> None:
        field = session.placed(base.fields[name], base.order, self.editing.order)
        if field is None or not self._stands(field):
            return
        now = self.tuning.fields(self.editing).get(name)
        is_shown = now is not None and now.place == field.place
        if is_shown:
            self.unread.pop(name, None)
        try:
            if "text" in self.unread:
                raise InputError(MEND)
            if not says(field, value, self.editing.block):
                self.editing = session.with_field(self.editing, field, value)
        except (InputError, ConfigError) as error:
            if is_shown:
                self.unread[name] = value, error.problems[0] if isinstance(error, ConfigError) else str(error)

    def _stands(self, field: Field) -> bool:
        """Whether there is still what the field stood for: an exit may have lost the number, a policy the parameter."""
        if field.name.startswith("parameter"):
            return field.place in {one.place for one in self.tuning.fields(self.editing).values()}
        return not field.name.startswith("knob") or get(self.editing.block, field.place) is not None

    def arrange(self, edit: Callable[[Editing], Editing]) -> None:
        """Choose, copy, move or remove a stage; what is no value in the fields of this one is forgotten."""
        try:
            if "text" in self.unread:
                raise InputError(MEND)
            before, self.editing = self.editing, edit(self.editing)
        except CurriculumError as error:
            self.notes["name"] = str(error)
            return
        if self.editing is not before:
            self.unread = {name: one for name, one in self.unread.items() if not name.startswith(STAGE)}
            self._remember(before, frozenset())

    def undo(self) -> None:
        """Go back to before the last change."""
        if self.past:
            self.editing, self.unread, self._typed = self.past.pop(), {}, frozenset()

    def start_over(self) -> None:
        """The recipe as it was opened; that can be undone, too."""
        before, self.editing, self.unread = self.editing, self.tuning.opened, {}
        self._remember(before, frozenset())

    def _remember(self, before: Editing, typed: frozenset[str]) -> None:
        """What is typed into one field, key by key, is one change."""
        if self.editing.text == before.text:
            return
        if not (typed and typed == self._typed and self.past):
            self.past = [*self.past[1 - MOST_PAST :], before]
        self._typed = typed

    def answer(self) -> tuple[dict[str, Any], dict[str, Shown]]:
        """What is written into fields that do not show the recipe, and the looks of those that look otherwise now."""
        fields, shown = self.tuning.fields(self.editing), self.sheets[-1].values
        self.unread = {name: one for name, one in self.unread.items() if shown[name] == one[0]}
        looks = self.tuning.looks(fields, self.editing)
        wanted = {name: look.value for name, look in looks.items()}
        wanted |= {"text": self.editing.text, "stage": self.editing.stage}
        writes = {
            name: value
            for name, value in wanted.items()
            if shown[name] != value
            and name not in self.unread
            and not (name in fields and says(fields[name], shown[name], self.editing.block))
        }
        others = {name: look for name, look in looks.items() if not look.is_like(self.looks[name])}
        self.looks = looks
        self.sheets = answered(self.sheets, fields, self.editing.order, writes)
        self._check()
        return writes, others

    def _check(self) -> None:
        """Check the recipe and the run if they are others than before, and have them played."""
        values, tuning = self.sheets[-1].values, self.tuning
        setup, self.run_wrong = read_setup({name: values[RUN + name] for name in (*LIMITS, "learns")})
        if self._checked is self.editing.block and setup == self._setup:
            return
        if self._checked is not self.editing.block:
            self._recipe, self.problems = session.check(
                self.editing, tuning.checked, tuning.prompts.buckets, tuning.own_policy
            )
            self.config = self._recipe and self._recipe[0]
        self._checked, self._setup = self.editing.block, setup
        self.playing.ask(self._recipe, setup)

    @property
    def wrong(self) -> list[str]:
        """All that is wrong with the recipe, and with what stands in the fields for it."""
        return [*self.problems, *(f"{self._label(name)}: {problem}" for name, (_, problem) in self.unread.items())]

    def save(self, name: str, *, overwrite: bool) -> Path:
        """Write the recipe, which is what the fields show."""
        if self.wrong:
            raise InputError(f"{len(self.wrong)} problems: mend them first, nothing was written")
        path = self.tuning.saving.save(name, self.editing.text, overwrite=overwrite, seen=self.seen)
        self.saved_text = self.editing.text
        return path

    def by_group(self) -> dict[str, list[str]]:
        """What is wrong, by group of the fields that are shown."""
        fields = self.sheets[-1].fields
        found = {group: [note] for group, note in self.notes.items()}
        for problem in self.problems:
            group = session.group_of(problem, list(fields.values()), self.editing.block)
            if group is not None:
                found.setdefault(group, []).append(problem)
        for name, (_, problem) in self.unread.items():
            group = "text" if name == "text" else fields[name].group
            found.setdefault(group, []).append(f"{self._label(name)}: {problem}")
        return found | ({"run": list(self.run_wrong.values())} if self.run_wrong else {})

    def _label(self, name: str) -> str:
        return "the text" if name == "text" else self.looks[name].label
