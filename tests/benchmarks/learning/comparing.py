"""An arm against the baseline, seed by seed: how many times as much the baseline spends to get as far."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from learning.curves import Axis, Curve

DRAWS = 10_000
CONFIDENCE = 0.95
LEAST = 0.01  # what an accuracy counts at least in a ratio


@dataclass(frozen=True, slots=True)
class Ratio:
    """The baseline's spending over the arm's, for one seed. Who did not get there spent more than the whole budget."""

    value: float
    arm_arrived: bool
    baseline_arrived: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """The geometric mean over seeds, an interval by bootstrap over seeds, and how many of the runs arrived."""

    value: float
    low: float
    high: float
    seeds: int
    arm_arrived: int
    baseline_arrived: int

    @property
    def bound(self) -> str:
        """What kind of bound it is: runs that did not arrive count as if they had at the very end."""
        late, baseline_late = self.arm_arrived < self.seeds, self.baseline_arrived < self.seeds
        return "~" if late and baseline_late else "<=" if late else ">=" if baseline_late else ""


def ratio(baseline: Curve, arm: Curve, target: float, axis: Axis) -> Ratio | None:
    """None if neither arrived: nothing can be said then."""
    ours, theirs = arm.reached(target, axis), baseline.reached(target, axis)
    if ours is None and theirs is None:
        return None
    spent = [
        float(curve.axis(axis)[-1]) if reached is None else reached
        for curve, reached in ((baseline, theirs), (arm, ours))
    ]
    return Ratio(max(spent[0], 1.0) / max(spent[1], 1.0), ours is not None, theirs is not None)


def compare(
    baseline: Mapping[int, Curve], arm: Mapping[int, Curve], target: float, axis: Axis = "tokens"
) -> Comparison | None:
    """Over the seeds that both have; None if there is none in which one of them arrived."""
    pairs = [ratio(baseline[seed], arm[seed], target, axis) for seed in sorted(baseline.keys() & arm.keys())]
    found = [pair for pair in pairs if pair is not None]
    if not found:
        return None
    low, high = interval([pair.value for pair in found])
    return Comparison(
        geometric([pair.value for pair in found]),
        low,
        high,
        len(pairs),
        sum(pair.arm_arrived for pair in found),
        sum(pair.baseline_arrived for pair in found),
    )


def accuracies(
    baseline: Mapping[int, Curve], arm: Mapping[int, Curve], accuracy: Callable[[Curve], float]
) -> tuple[float, float, float] | None:
    """The arm's over the baseline's, seed by seed: the geometric mean and its interval; None without a common seed."""
    seeds = sorted(baseline.keys() & arm.keys())
    ratios = [max(LEAST, accuracy(arm[seed])) / max(LEAST, accuracy(baseline[seed])) for seed in seeds]
    return (geometric(ratios), *interval(ratios)) if ratios else None


def best(runs: Mapping[str, Mapping[int, Curve]], targets: Sequence[float]) -> str:
    """The name of whose runs spend the fewest tokens: each challenges the best before it by the seeds that both have.

    Who does not arrive is counted with all that it spent.
    """

    def spent(curve: Curve, target: float) -> float:
        reached = curve.reached(target, "tokens")
        return curve.tokens[-1] if reached is None else max(reached, 1.0)

    def mean(name: str, seeds: Iterable[int]) -> float:
        return geometric([spent(runs[name][seed], target) for seed in seeds for target in targets])

    chosen, *others = sorted(runs, key=lambda name: -len(runs[name]))
    for name in others:
        common = runs[chosen].keys() & runs[name].keys()
        if common and mean(name, common) < mean(chosen, common):
            chosen = name
    return chosen


def geometric(ratios: Sequence[float]) -> float:
    """The mean of ratios: twice as much and half as much make one."""
    return float(np.exp(np.mean(np.log(ratios))))


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Of the geometric mean, by drawing seeds anew; with three seeds it ends at the least and at the most."""
    logs = np.log(ratios)
    random = np.random.default_rng(0)
    means = logs[random.integers(len(logs), size=(DRAWS, len(logs)))].mean(axis=1)
    low, high = np.exp(np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]))
    return float(low), float(high)
