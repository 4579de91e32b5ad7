"""What a run has learned by when: accuracy on held-out prompts over tokens, steps or seconds."""

from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Axis = Literal["tokens", "steps", "seconds"]
Figures = NDArray[np.float64]


class Curve(msgspec.Struct, frozen=True):
    """Figures after some steps, the model before the first among them.

    Within the budget: `informative` is the share of groups whose rewards differed, `validation` the tokens of verl's
    own validations, which are not among the others.
    """

    steps: list[int]
    tokens: list[float]
    seconds: list[float]
    accuracy: dict[str, list[float]]  # by level
    informative: float
    validation: int = 0

    def axis(self, axis: Axis) -> Figures:
        """What was spent by each of the steps."""
        return np.array({"tokens": self.tokens, "steps": self.steps, "seconds": self.seconds}[axis], dtype=np.float64)

    def level(self, level: str) -> Figures:
        """The accuracy of a level, smoothed by its neighbours in time."""
        return smoothed(np.array(self.accuracy[level]))

    @property
    def mean(self) -> Figures:
        """The mean over the levels."""
        return np.mean([self.level(level) for level in self.accuracy], axis=0)

    def reached(self, target: float, axis: Axis) -> float | None:
        """What was spent when the mean first reached a target; None if it never did."""
        spent, mean = self.axis(axis), self.mean
        above = np.flatnonzero(mean >= target)
        if not above.size:
            return None
        first = int(above[0])
        if first == 0:
            return float(spent[0])
        low, high = mean[first - 1], mean[first]
        return float(spent[first - 1] + (target - low) / (high - low) * (spent[first] - spent[first - 1]))

    def area(self, until: float, axis: Axis = "tokens") -> float:
        """The mean accuracy on the whole way to a limit."""
        spent, mean = self.axis(axis), self.mean
        points = np.append(spent[spent < until], until)
        return float(np.trapezoid(np.interp(points, spent, mean), points) / until)

    def after(self, until: float, level: str, axis: Axis = "tokens") -> float:
        """The accuracy of a level when so much was spent."""
        return float(np.interp(until, self.axis(axis), self.level(level)))

    def least(self, until: float, level: str, axis: Axis = "tokens") -> float:
        """What was kept of a level at the worst moment of training before; smoothing would hide that."""
        return float(np.array(self.accuracy[level])[self._trained(until, axis)].min())

    def looks(self, until: float, axis: Axis = "tokens") -> int:
        """How many checkpoints were looked at on the way: the more, the worse the worst of them."""
        return int(self._trained(until, axis).sum())

    def _trained(self, until: float, axis: Axis) -> NDArray[np.bool_]:
        return (self.axis(axis) <= until) & (self.axis("steps") > 0)


def smoothed(values: Figures) -> Figures:
    """The mean of each value and its neighbours; what all begin with stays as it is."""
    means = [values[at - 1 : at + 2].mean() for at in range(1, len(values))]
    return np.array([*values[:1], *means])
