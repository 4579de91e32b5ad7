"""The tracker: what was measured so far, with windows, averages, slopes and a history of bounded size."""

import math
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from curriculum_verl.curriculum.formula import Formula
from curriculum_verl.errors import InputError


@dataclass(frozen=True, slots=True)
class Rate:
    """A value with the number of trials behind it (0: unknown)."""

    value: float
    trials: int

    def __post_init__(self) -> None:
        if not self.trials >= 0:
            raise InputError(f"rate {self.value}: got {self.trials} trials, expected a number of at least 0")
        object.__setattr__(self, "value", float(self.value))
        object.__setattr__(self, "trials", int(self.trials))


@dataclass(frozen=True, slots=True)
class Reading:
    """The mean of a full window, the rate over all its trials (0 trials: not a rate), and its last step."""

    mean: float
    rate: float
    trials: int
    step: int


@dataclass(slots=True)
class _Series:
    """One metric: the last values exactly, all of them thinned out."""

    recent: deque[tuple[int, float, int]]
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    stride: int = 1
    count: int = 0
    average: float = 0.0
    highest: float | None = None
    lowest: float | None = None
    before: tuple[float, float | None, float | None] = (0.0, None, None)  # the three above, without the last value

    def add(self, step: int, value: float, trials: int, weight: float, history: int) -> None:
        self.before = (self.average, self.highest, self.lowest)
        self.recent.append((step, value, trials))
        self.average = value if self.count == 0 else self.average + weight * (value - self.average)
        self.highest = value if self.highest is None else max(self.highest, value)
        self.lowest = value if self.lowest is None else min(self.lowest, value)
        if self.count % self.stride == 0:
            self.steps.append(step)
            self.values.append(value)
            if len(self.values) > history:
                self.steps, self.values, self.stride = self.steps[::2], self.values[::2], self.stride * 2
        self.count += 1

    def take_back_last(self) -> None:
        step = self.recent.pop()[0]
        self.average, self.highest, self.lowest = self.before
        if self.steps and self.steps[-1] == step:
            self.steps.pop()
            self.values.pop()
        self.count -= 1


class Tracker:
    """Records metrics by step. A window counts values, not steps, and only reads when it is full.

    Values that are not finite are counted in `invalid` and kept out of everything else. A value for a step that is
    not after the last one is ignored, but a derived metric is replaced when more of its step is reported. Safe to
    read from another thread while one writes.
    """

    def __init__(
        self,
        *,
        keep: int = 100,
        history: int = 1000,
        half_life: float = 20.0,
        derived: Mapping[str, Formula] | None = None,
    ):
        self._lock = threading.RLock()
        self._series: dict[str, _Series] = {}
        self._keep, self._history = keep, history
        self._weight = 1.0 - 0.5 ** (1.0 / half_life)
        self._derived = dict(derived or {})
        self._invalid: dict[str, tuple[int, int]] = {}  # by name: how many, and the step of the last

    def observe(self, step: int, metrics: Mapping[str, float | Rate]) -> None:
        """Record one step's metrics, then the derived ones that they feed."""
        with self._lock:
            for name, given in metrics.items():
                value, trials = (given.value, given.trials) if isinstance(given, Rate) else (given, 0)
                self._add(step, name, float(value), trials)
            for name, formula in self._derived.items():
                known = {n: self._series[n].recent[-1] for n in formula.names if n in self._series}
                if len(known) == len(formula.names) and any(last[0] == step for last in known.values()):
                    self._derive(step, name, formula({n: last[1] for n, last in known.items()}))

    def _derive(self, step: int, name: str, value: float) -> None:
        """Add a derived value; training and validation may both feed it at one step, and then the later one counts."""
        series = self._series.get(name)
        if series is not None and math.isfinite(value) and series.recent and series.recent[-1][0] == step:
            series.take_back_last()
        self._add(step, name, value, 0)

    def _add(self, step: int, name: str, value: float, trials: int) -> None:
        if not math.isfinite(value):
            count, last = self._invalid.get(name, (0, -1))
            if step > last:
                self._invalid[name] = (count + 1, step)
            return
        series = self._series.setdefault(name, _Series(deque(maxlen=self._keep + 1)))
        if not series.recent or step > series.recent[-1][0]:
            series.add(step, value, trials, self._weight, self._history)

    @property
    def invalid(self) -> dict[str, int]:
        """How many values of each metric were not finite."""
        with self._lock:
            return {name: count for name, (count, _) in self._invalid.items()}

    def names(self) -> list[str]:
        """Every metric seen so far."""
        with self._lock:
            return sorted(self._series)

    def last(self, name: str) -> float | None:
        """The latest value."""
        reading = self.window(name, 1)
        return reading.mean if reading else None

    def window(self, name: str, size: int, after: int = -1) -> Reading | None:
        """The last `size` values, all observed after step `after`; None until there are so many."""
        if size > self._keep:
            raise InputError(
                f"window of {name}: got {size}, expected at most {self._keep}, which is what the tracker keeps"
            )
        with self._lock:
            recent = self._series[name].recent if name in self._series else ()
            if len(recent) < size or recent[-size][0] <= after:
                return None
            values = [recent[i] for i in range(-size, 0)]
        trials = sum(t for _, _, t in values)
        rate = math.fsum(v * t for _, v, t in values) / trials if trials else math.nan
        return Reading(math.fsum(v for _, v, _ in values) / size, rate, trials, values[-1][0])

    def average(self, name: str) -> float | None:
        """The exponential average over all values."""
        with self._lock:
            return self._series[name].average if name in self._series else None

    def slope(self, name: str, size: int, after: int = -1) -> float | None:
        """The least-squares slope per value over a full window; None until it is full."""
        if self.window(name, size, after) is None:
            return None
        with self._lock:
            return least_squares_slope([self._series[name].recent[i][1] for i in range(-size, 0)])

    def best(self, name: str, mode: Literal["max", "min"] = "max") -> float | None:
        """The best value so far."""
        with self._lock:
            series = self._series.get(name)
            return None if series is None else series.highest if mode == "max" else series.lowest

    def history(self, name: str) -> tuple[list[int], list[float]]:
        """Steps and values over the whole run, thinned to a bounded number."""
        with self._lock:
            series = self._series.get(name)
            return (list(series.steps), list(series.values)) if series else ([], [])

    def state_dict(self) -> dict[str, Any]:
        """Every series and the counts of invalid values."""
        with self._lock:
            return {
                "invalid": {name: list(seen) for name, seen in self._invalid.items()},
                "series": {
                    name: {
                        "recent": [list(entry) for entry in s.recent],
                        "steps": list(s.steps),
                        "values": list(s.values),
                        "stride": s.stride,
                        "count": s.count,
                        "average": s.average,
                        "highest": s.highest,
                        "lowest": s.lowest,
                        "before": list(s.before),
                    }
                    for name, s in self._series.items()
                },
            }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved tracker stood."""
        with self._lock:
            self._invalid = {name: (count, step) for name, (count, step) in state["invalid"].items()}
            self._series = {
                name: _Series(
                    **s
                    | {
                        "recent": deque(map(tuple, s["recent"]), maxlen=self._keep + 1),
                        "steps": list(s["steps"]),
                        "values": list(s["values"]),
                        "before": tuple(s["before"]),
                    }
                )
                for name, s in state["series"].items()
            }

    def metrics(self) -> dict[str, float]:
        """How many values were not finite."""
        return {"invalid_values": float(sum(self.invalid.values()))}


def least_squares_slope(values: Sequence[float]) -> float:
    """The slope of the least-squares line through (0, v0), (1, v1), ..."""
    n = len(values)
    centre = (n - 1) / 2
    spread = n * (n * n - 1) / 12
    return math.fsum((i - centre) * value for i, value in enumerate(values)) / spread
