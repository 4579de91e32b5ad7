"""What rewards remember from step to step: counts of curiosity, and the scales of normalised components.

It lives in the one process that sees every response of a step, and is saved with the run; workers need no state.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curriculum_verl.rewards.curiosity import Curiosity
from curriculum_verl.rewards.normalise import Normaliser, Scale
from curriculum_verl.rewards.scorer import CURIOSITY, ScoringSettings
from curriculum_verl.rewards.scoring import Score
from curriculum_verl.rewards.usage import Trace

Groups = Sequence[Sequence[Trace]]


class RunningRewards:
    """`names` are the components that a run weighs; what none of them needs is not kept."""

    def __init__(self, settings: ScoringSettings, names: Iterable[str]):
        wanted = list(names)
        self._curiosity = Curiosity(settings.curiosity, settings.operations) if CURIOSITY in wanted else None
        self._normalisers = {
            name: Normaliser(how) for name, how in settings.normalise.items() if name in wanted and how.kind != "none"
        }

    @property
    def curious(self) -> bool:
        """Whether responses are judged in groups."""
        return self._curiosity is not None

    def scales(self) -> dict[str, list[float]]:
        """By component, what turns raw values into normalised ones in this step; plain numbers, to travel along."""
        return {name: list(dataclasses.astuple(normaliser.scale())) for name, normaliser in self._normalisers.items()}

    def score_groups(self, groups: Groups) -> list[list[Score]]:
        """Raw curiosity of every response; nothing is remembered yet."""
        if self._curiosity is None:
            return [[] for _ in groups]
        return self._curiosity.score_groups(groups)

    def observe(self, step: int, groups: Groups, raw: Mapping[str, Iterable[float]]) -> None:
        """Take in a step: the traces of its groups, and the raw values of its components."""
        if self._curiosity is not None:
            self._curiosity.observe(step, groups)
        for name, normaliser in self._normalisers.items():
            normaliser.observe(step, raw.get(name, ()))

    def state_dict(self) -> dict[str, Any]:
        """Plain values of bounded number."""
        return {
            CURIOSITY: None if self._curiosity is None else self._curiosity.state_dict(),
            "normalise": {name: normaliser.state_dict() for name, normaliser in self._normalisers.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the saved state stood; a component that is new since then begins anew."""
        if self._curiosity is not None and state[CURIOSITY] is not None:
            self._curiosity.load_state_dict(state[CURIOSITY])
        for name, saved in state["normalise"].items():
            if name in self._normalisers:
                self._normalisers[name].load_state_dict(saved)

    def metrics(self) -> dict[str, float]:
        """Of curiosity's step, and of the scales, by component."""
        found: dict[str, float] = {}
        if self._curiosity is not None:
            found |= {f"{CURIOSITY}/{name}": value for name, value in self._curiosity.metrics().items()}
        for name, normaliser in self._normalisers.items():
            found |= {f"normalise/{name}/{key}": value for key, value in normaliser.metrics().items()}
        return found


def normalised(raw: float, scale: Sequence[float] | None) -> float:
    """A raw value on the scale that came with its prompt."""
    return raw if scale is None else Scale(*scale).apply(raw)
