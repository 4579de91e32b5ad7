"""Playing what is being edited, beside the editing: a change is taken at once, whatever is still being played."""

from collections.abc import Mapping
from dataclasses import dataclass

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.simulation.prompts import Prompts
from curriculum_verl.simulation.setup import Setup
from curriculum_verl.tuning.trial import Played, play

Recipe = tuple[CurriculumConfig, Mapping[str, int]]
"""A config, and the responses of buckets that get others than the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What the pictures are of: a recipe, the one that was opened beside it, and the setup of both."""

    turn: int
    setup: Setup
    now: Played
    opened: Played | None


class Playing:
    """What is to be played, None where it is wrong, and what the pictures show; `turn` counts what was asked for."""

    def __init__(self, prompts: Prompts):
        self._prompts = prompts
        self._opened: Recipe | None = None
        self._wanted: tuple[Recipe | None, Setup | None] = (None, None)
        self.turn = 0
        self.shown: Shown | None = None

    def ask(self, recipe: Recipe | None, setup: Setup | None) -> None:
        """From now on this is to be played; the first recipe is the one that was opened."""
        self._opened = self._opened or recipe
        self._wanted = recipe, setup
        self.turn += 1

    @property
    def stale(self) -> bool:
        """Whether the pictures are of something else than what was asked for last."""
        return self.shown is None or self.shown.turn != self.turn

    def play(self) -> Shown | None:
        """Play what is wanted, None if nothing can be; raises Abandoned once something else is wanted."""
        turn = self.turn  # before what is wanted is read: an older one than it is only abandoned
        recipe, setup = self._wanted
        if recipe is None or setup is None or self._opened is None:
            return None
        shown, opened = self.shown, self._opened

        def played(recipe: Recipe) -> Played:
            return play(recipe[0], self._prompts, setup, recipe[1], lambda: self.turn == turn)

        before = shown.opened if shown is not None and shown.setup == setup else None
        before = before or played(opened)
        return Shown(turn, setup, before if recipe is opened else played(recipe), before)
