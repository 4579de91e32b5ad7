"""What is kept of every rollout between the passes: a row of numbers on disk."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.difficulty import Metric
from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.lines import HASH_BLOCK
from curriculum_verl.rollouts.scores import LARGEST

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
MOST_ROWS = 1 << 16  # that are looked at together


def read_facts(path: Path) -> Iterator[Facts]:
    """The rows of a file, of not too many lines and bytes at a time, however much of an input it describes."""
    with path.open("rb") as file:
        while len(rows := np.fromfile(file, FACTS, MOST_ROWS)):
            block = np.cumsum(rows["size"] + 1) // HASH_BLOCK
            yield from np.split(rows, np.flatnonzero(np.diff(block)) + 1)


class Measure:
    """The numbers of a prompt's scores: count, passes, mean, metric and tie-break."""

    def __init__(self, settings: Settings):
        self._metrics = [metric for metric in settings.find_metrics() if metric is not None]
        self._scoring = settings.scoring
        self._threshold = settings.pass_threshold

    def __call__(self, scores: Sequence[float]) -> tuple[int, int, float, float, float]:
        """The numbers; a metric that cannot be computed is NaN, and `explain` says why."""
        fixed = tuple(scores)  # a user's function may sort or empty what it is given
        passes = sum(score >= self._threshold for score in fixed)
        mean = math.fsum(fixed) / len(fixed)
        try:
            value, tie = (*(self._value(metric, fixed) for metric in self._metrics), 0.0)[:2]
        except (Exception, SystemExit):  # a user's function may fail in any way; explain() tells
            value = tie = math.nan
        return len(fixed), passes, mean, value, tie

    def explain(self, scores: Sequence[float]) -> str:
        """Why the metric of these scores could not be computed."""
        for metric in self._metrics:
            try:
                self._value(metric, tuple(scores))
            except InputError as error:
                return str(error)
            except (Exception, SystemExit) as error:  # whatever the user's function raised is the answer
                return f"{metric.name}: raised {_in_words(error)}"
        return "the metric could not be computed, but can be now; it must give the same every time"

    def _value(self, metric: Metric, scores: tuple[float, ...]) -> float:
        # To 12 digits: 0.1 + 0.2 and 0.3 are one value to a user, and equal values must not be parted.
        value = float(f"{metric.function(scores, self._scoring):.12g}")
        if not abs(value) <= LARGEST:
            raise InputError(f"{metric.name}: gave {value}, expected a finite number of at most {LARGEST:g}")
        return value


def _in_words(error: BaseException) -> str:
    """An error of somebody else's code, whose own words may not even be text."""
    try:
        text = str(error)
    except Exception:  # its __str__ is that code too
        text = "(an error that cannot be shown)"
    return f"{type(error).__name__}: {text}".encode(errors="backslashreplace").decode()
