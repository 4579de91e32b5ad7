"""What is kept of every rollout between the passes: a row of numbers on disk."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.errors import InputError

# Of a line: the key of its prompt, where its bytes are, its number in its piece; of the scores: what buckets need.
FACTS = np.dtype(
    [
        ("key", "<u8"),
        ("source", "<i4"),
        ("part", "?"),
        ("start", "<i8"),
        ("size", "<i8"),
        ("line", "<i8"),
        ("count", "<i4"),
        ("passes", "<i4"),
        ("mean", "<f8"),
        ("value", "<f8"),
        ("tie", "<f8"),
    ]
)
Facts = NDArray[np.void]


def read_facts(path: Path) -> Facts:
    """The rows of one task."""
    return np.fromfile(path, dtype=FACTS)


def _rounded(value: float) -> float:
    """To 12 digits: 0.1 + 0.2 and 0.3 are one value to a user, and equal values must not be parted."""
    return float(f"{value:.12g}")


class Measure:
    """The numbers of a prompt's scores: count, passes, mean, metric and tie-break."""

    def __init__(self, settings: Settings):
        self._metric, self._tie = settings.find_metrics()
        self._scoring = settings.scoring
        self._threshold = settings.pass_threshold

    def __call__(self, scores: list[float]) -> tuple[int, int, float, float, float]:
        """The numbers; a metric that cannot be computed is NaN, and `explain` says why."""
        try:
            value = _rounded(self._metric.function(scores, self._scoring))
            tie = _rounded(self._tie.function(scores, self._scoring)) if self._tie else 0.0
        except Exception:  # a user's function may fail in any way; explain() tells
            value = tie = math.nan
        if not math.isfinite(value) or not math.isfinite(tie):
            value = math.nan
        passes = sum(score >= self._threshold for score in scores)
        return len(scores), passes, math.fsum(scores) / len(scores), value, tie

    def explain(self, scores: list[float]) -> str:
        """Why the metric of these scores could not be computed."""
        for metric in filter(None, (self._metric, self._tie)):
            try:
                value = _rounded(metric.function(scores, self._scoring))
            except InputError as error:
                return str(error)
            except Exception as error:  # whatever the user's function raised is the answer
                return f"{metric.name}: raised {type(error).__name__}: {error}"
            if not math.isfinite(value):
                return f"{metric.name}: gave {value}, expected a finite number"
        return "the metric could not be computed, but can be now; it must give the same every time"
