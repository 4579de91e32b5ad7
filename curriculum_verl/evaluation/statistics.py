"""What a sample of prompts says of all prompts: estimates with intervals. Prompts are independent, responses are not.

share(passed / tried)              # mean of shares: a Wilson interval for the number of prompts that they are worth
Bootstrap(...).mean(scores)        # any other mean: prompts are drawn anew, with all of their responses
Bootstrap(...).difference(b - a)   # two models on the same prompts
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

AT_ONCE = 4_000_000  # draws of a prompt in memory
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over prompts with its interval; without bounds where the prompts say nothing of their spread."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def sign(self) -> int:
        """1 or -1 if all of the interval lies on that side of 0, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)


def pass_at_k(tried: Values, passed: Values, k: int) -> Values:
    """For every prompt the chance that one of k responses passes, unbiased (Chen et al. 2021, arXiv 2107.03374).

    1 - C(n - c, k) / C(n, k) as a product of k factors, none above 1: nothing overflows.
    """
    failed = np.ones_like(tried, dtype=np.float64)
    for taken in range(k):
        failed *= np.clip((tried - passed - taken) / (tried - taken), 0.0, 1.0)
    return 1.0 - failed


def share(values: Values, confidence: float = 0.95) -> Estimate:
    """The mean of shares, one of every prompt; the interval is Wilson's score interval for clusters.

    As many independent trials as would have the variance that the prompts' shares have (Korn and Graubard 1998), by
    Student's t for the number of prompts. Where all prompts agree, each counts as one trial.
    """
    count, rate = len(values), float(values.mean())
    variance = float(values.var(ddof=1)) / count if count > 1 else 0.0
    z, trials = _z(confidence), float(count)
    if variance > 0:
        trials = rate * (1 - rate) / variance * (z / student(confidence, count - 1)) ** 2
    spread = z * z / trials
    middle, half = rate + spread / 2, sqrt(spread * (rate * (1 - rate) + spread / 4))
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return Estimate(rate, min(rate, max(0.0, low)), max(rate, min(1.0, high)))


class Bootstrap:
    """Prompts drawn anew, the same draws for every use; the interval is the percentiles', widened for few prompts.

    The levels are those of Hesterberg (2015): without them 20 prompts would give intervals that are too narrow.
    """

    def __init__(self, prompts: int, seed: int, *, draws: int = 2000, confidence: float = 0.95):
        self._prompts, self._seed, self._draws, self._confidence = prompts, seed, draws, confidence

    def mean(self, values: Values) -> Estimate:
        """The mean; without an interval if all prompts have the same value."""
        middle = float(values.mean())
        if not _spread(values):
            return Estimate(middle)
        return Estimate(middle, *self._bounds(values))

    def difference(self, values: Values) -> Estimate:
        """The mean of differences of shares, each from -1 to 1.

        Where no prompt differs from the others, the bound is on the share of prompts that might, and were not seen.
        """
        middle = float(values.mean())
        if _spread(values):
            return Estimate(middle, *self._bounds(values))
        unseen = 1 - ((1 - self._confidence) / 2) ** (1 / len(values))
        return Estimate(middle, middle - (1 + middle) * unseen, middle + (1 - middle) * unseen)

    def _bounds(self, values: Values) -> tuple[float, float]:
        count = self._prompts
        level = _NORMAL.cdf(-student(self._confidence, count - 1) * sqrt(count / (count - 1)))
        low, high = np.quantile(self._means(values), [level, 1 - level])
        return float(low), float(high)

    def _means(self, values: Values) -> Values:
        random = np.random.default_rng(self._seed)
        rows = max(1, AT_ONCE // self._prompts)
        parts = [
            values[random.integers(self._prompts, size=(min(rows, self._draws - done), self._prompts))].mean(axis=1)
            for done in range(0, self._draws, rows)
        ]
        means: Values = np.concatenate(parts)
        return means


def student(confidence: float, freedom: int) -> float:
    """The two-sided quantile of Student's t; beyond two degrees of freedom by its expansion around the normal's."""
    if freedom == 1:
        return float(np.tan(np.pi * confidence / 2))
    if freedom == 2:
        return float(confidence * sqrt(2 / (1 - confidence**2)))
    z, v = _z(confidence), freedom
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(float(term) / float(v) ** (power + 1) for power, term in enumerate(terms))


def _z(confidence: float) -> float:
    return _NORMAL.inv_cdf((1 + confidence) / 2)


def _spread(values: Values) -> bool:
    return len(values) > 1 and bool(np.ptp(values) > 1e-12)
