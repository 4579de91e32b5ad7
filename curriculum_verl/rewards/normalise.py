"""Normalisation of one component: the weighted sum takes the normalised value, the logs keep the raw one."""

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from curriculum_verl.rewards.settings import Normalisation

_LARGEST = 1e9  # of an observed value: squares of larger ones would drown all others
_DEVIATION = 1e-6  # below it, all values are taken as equal
_FINITE = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Scale:
    """(raw - shift) * factor, kept within low to high. It may travel with a prompt as four numbers."""

    shift: float = 0.0
    factor: float = 1.0
    low: float = -math.inf
    high: float = math.inf

    def apply(self, raw: float) -> float:
        """The normalised value of a finite raw one; always finite."""
        value = min(self.high, max(self.low, (raw - self.shift) * self.factor))
        return min(_FINITE, max(-_FINITE, value))


class Normaliser:
    """Mean and deviation over about the last `memory` values, where they are asked for.

    `scale` holds still between calls of `observe`, so all responses of a step are normalised alike.
    """

    def __init__(self, settings: Normalisation | None = None):
        self._settings = settings or Normalisation()
        self._step = -1
        self._count, self._mean, self._variance = 0.0, 0.0, 0.0
        self._ignored = 0

    def scale(self) -> Scale:
        """What turns raw values into normalised ones now; values that were all equal are only shifted."""
        s = self._settings
        if s.kind == "none":
            return Scale()
        if s.kind == "clip":
            return Scale(low=s.low, high=s.high)
        deviation = math.sqrt(self._variance)
        return Scale(self._mean, 1.0 / deviation if deviation > _DEVIATION else 1.0, -s.most, s.most)

    def apply(self, raw: float) -> float:
        """The normalised value of a finite raw one."""
        return self.scale().apply(raw)

    def observe(self, step: int, values: Iterable[float]) -> None:
        """Take in a step's raw values, in any order; values that are not finite are counted and left out."""
        if step <= self._step:
            return
        self._step = step
        given = list(values)
        finite = [min(_LARGEST, max(-_LARGEST, value)) for value in given if math.isfinite(value)]
        self._ignored += len(given) - len(finite)
        if not finite:
            return
        new = len(finite)
        mean = math.fsum(finite) / new
        variance = math.fsum((value - mean) ** 2 for value in finite) / new
        before = min(self._count, max(0.0, self._settings.memory - new))
        share, distance = new / (before + new), mean - self._mean
        self._variance += share * (variance - self._variance) + share * (1.0 - share) * distance * distance
        self._mean += share * distance
        self._count = before + new

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "step": self._step,
            "count": self._count,
            "mean": self._mean,
            "variance": self._variance,
            "ignored": self._ignored,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved state stood."""
        self._step, self._ignored = state["step"], state["ignored"]
        self._count, self._mean, self._variance = state["count"], state["mean"], state["variance"]

    def metrics(self) -> dict[str, float]:
        """Mean and deviation of the raw values, and how many were no numbers."""
        return {"mean": self._mean, "deviation": math.sqrt(self._variance), "not_finite": float(self._ignored)}
