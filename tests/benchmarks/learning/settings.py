"""What is trained on: how many prompts of which level there are, and how much may be generated."""

from collections.abc import Mapping
from dataclasses import dataclass

from learning.families import KINDS, SUMS, Family

CHECKED = 32  # chats of every level, by which the warm-up sees when to stop
HELD_OUT = 48  # prompts of every level, on which every arm is measured


@dataclass(frozen=True, slots=True)
class Setting:
    """One distribution of prompts. `mislabelled` is the share of prompts whose rollouts are those of another prompt.

    Figures are compared within the budget; what others are measured by goes on, to see when it gets as far.
    """

    name: str
    words: str
    prompts: Mapping[int, int]  # by level
    budget: int  # generated tokens
    late_budget: int
    targets: tuple[float, ...]  # accuracies, the mean over the levels, that are to be reached
    mislabelled: float = 0.0
    family: Family = SUMS

    @property
    def levels(self) -> list[str]:
        """Their names, the easiest first."""
        return [self.family.level_name(level) for level in self.prompts]


_SKEW = {3: 400, 4: 3600, 5: 400, 8: 300, 10: 300, 12: 5000}
SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(
            "main",
            "five levels, equally many prompts of each",
            dict.fromkeys((3, 5, 8, 10, 11), 400),
            budget=80_000,
            late_budget=120_000,
            targets=(0.6, 0.7, 0.8),
        ),
        Setting(
            "skew",
            "half of the prompts are hopeless at first and 40 % too easy; what can be learned from is one in ten",
            _SKEW,
            budget=100_000,
            late_budget=160_000,
            targets=(0.6, 0.7, 0.8),
        ),
        Setting(
            "noisy",
            "as skew, but three prompts in ten are bucketed by the rollouts of another one",
            _SKEW,
            budget=100_000,
            late_budget=160_000,
            targets=(0.6, 0.7, 0.8),
            mislabelled=0.3,
        ),
        Setting(
            "kinds",
            "five unlike tasks: what is learned of one helps no other; 40 % are too easy, half nearly hopeless",
            {0: 4000, 1: 400, 2: 300, 3: 300, 4: 5000},
            budget=100_000,
            late_budget=160_000,
            targets=(0.5,),
            family=KINDS,
        ),
    )
}
