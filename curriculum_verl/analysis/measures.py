"""The measures of a trajectory, each a mean over prompts: every prompt counts once, however many responses it has."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from curriculum_verl.analysis.rows import Rows, sums
from curriculum_verl.evaluation.statistics import Bootstrap, Estimate, Values, share, student

# Prompts of which intervals of means are drawn: of more, the mean is as good as normal; of fewer, no draw goes beyond
# the prompts that there are, and two prompts that agree would already be sure of themselves.
DRAWN = range(8, 301)

Unit = Literal["share", "number", "score"]


@dataclass(frozen=True, slots=True)
class Measure:
    """The sum `top` over the sum `bottom` of every prompt; a share is from 0 to 1, and so its interval is another."""

    name: str
    words: str
    unit: Unit
    top: str
    bottom: str = "responses"
    short: str = ""

    def values(self, rows: Rows) -> Values:
        """Of every prompt; not a number where it says nothing of the measure."""
        top = sums(rows, self.top)
        bottom = rows["responses"].astype(np.float64) if self.bottom == "responses" else sums(rows, self.bottom)
        found: Values = np.divide(top, bottom, out=np.full(len(rows), np.nan), where=bottom > 0)
        return found

    def shown(self, value: float, *, sign: bool = False) -> str:
        """A value with its unit."""
        if self.unit != "share" or np.isnan(value):
            return self.number(value, sign=sign)
        return self.number(value, sign=sign) + (" points" if sign else " %")

    def with_interval(self, found: Estimate, *, sign: bool = False) -> str:
        """A value with its unit, and its interval as far as there is one."""
        shown = self.shown(found.value, sign=sign)
        if found.low is None or found.high is None:
            return shown
        return f"{shown} [{self.number(found.low, sign=sign)}, {self.number(found.high, sign=sign)}]"

    def number(self, value: float, *, sign: bool = False) -> str:
        """A value; shares are in per cent."""
        if np.isnan(value):
            return "-"
        shown = 100 * value if self.unit == "share" else value
        digits = 3 if self.unit == "score" else 1 if self.unit == "share" or abs(shown) >= 10 else 2
        return f"{round(shown, digits) + 0.0:{'+' if sign else ''},.{digits}f}"  # + 0.0: no negative zero


MEASURES = (
    Measure("success", "responses that pass", "share", "passed", short="success"),
    Measure("score", "mean score", "score", "score", short="score"),
    Measure("tokens", "tokens of a response", "number", "tokens", "with_tokens", "tokens"),
    Measure("characters", "characters of a response", "number", "characters", short="characters"),
    Measure("steps", "steps of reasoning in a response", "number", "steps", short="steps"),
    Measure("calls", "tool calls of a response that can be made", "number", "calls", short="tool calls"),
    Measure("tool_use", "responses that use a tool", "share", "tool_use", short="use a tool"),
    Measure("malformed", "attempted calls that cannot be made", "share", "malformed", "attempts", "malformed calls"),
    Measure("coherence", "coherence, from -1 to 1", "score", "coherence", "judged", "coherence"),
    Measure("loops", "steps or calls that only repeat a round", "share", "loops", short="looping steps"),
    Measure("stuck", "responses that are stuck in a loop", "share", "stuck", short="stuck in a loop"),
    Measure(
        "efficiency", "exploration efficiency: distinct calls of all", "share", "efficiency", "trying", "efficiency"
    ),
)
BY_NAME = {measure.name: measure for measure in MEASURES}


def estimate(values: Values, unit: Unit, seed: int) -> Estimate:
    """The mean over prompts with its interval; values that are not known are left out."""
    known: Values = values[~np.isnan(values)]
    if not len(known):
        return Estimate(float("nan"))
    return share(known) if unit == "share" else _mean(known, seed)


def difference(before: Values, after: Values, unit: Unit, seed: int) -> tuple[Estimate, int]:
    """The mean change of prompts that are known on both sides, with its interval, and how many they are."""
    changes: Values = after - before
    known: Values = changes[~np.isnan(changes)]
    if not len(known):
        return Estimate(float("nan")), 0
    if unit == "share" and (len(known) in DRAWN or not np.ptp(known) > 0):
        return Bootstrap(len(known), seed).difference(known), len(known)
    found = _mean(known, seed)
    return (_within_shares(found) if unit == "share" else found), len(known)


def _within_shares(found: Estimate) -> Estimate:
    """Shares differ by 1 at most; of few prompts, Student's t goes beyond."""
    if found.low is None or found.high is None:
        return found
    return Estimate(found.value, max(-1.0, found.low), min(1.0, found.high))


def _mean(values: Values, seed: int) -> Estimate:
    count = len(values)
    if count in DRAWN or not np.ptp(values) > 0:
        return Bootstrap(count, seed).mean(values)
    middle, half = float(values.mean()), student(0.95, count - 1) * float(values.std(ddof=1)) / sqrt(count)
    return Estimate(middle, middle - half, middle + half)


def measures_of(rows: Iterable[Rows]) -> list[Measure]:
    """Those of which any of the rows says something."""
    given = list(rows)
    return [measure for measure in MEASURES if any(not np.isnan(measure.values(one)).all() for one in given)]
