"""Cutting an axis of difficulty into buckets: as even as its ties allow, and never between equal values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.errors import InputError

# Sorted as numpy sorts: a complex number is a value and its tie-break.
Axis = NDArray[np.float64] | NDArray[np.complex128]
Rows = NDArray[np.int64]

PIECES = 4  # that an open gap is cut into: fewer mean more passes, more mean larger ones
BLOCK = 1 << 14  # sums in one table, few enough for a processor's cache
SHOWN = 10  # values that an error lists


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rows where one cut may stand; a gap between two of them is open if the best split may cut inside it."""

    rows: Rows
    open: NDArray[np.bool_]

    def width(self) -> int:
        """The widest open gap, 0 if none is left."""
        return int(np.diff(self.rows).max(initial=0, where=self.open))


def cut_positions(ordered: Axis, buckets: int, named: Callable[[Any], str] | None = None) -> list[int]:
    """The first row of every bucket but the first, for the least sum of squared sizes; of equals, the earliest cuts."""
    # Coarse to fine, so that memory does not grow with the rows. No best split is ever dropped: move each of its cuts
    # to an end of its open gap, at random so that the mean stays, and the sum grows by width ** 2 / 2 per cut at most
    # on average. Nothing here forbids empty buckets or cuts out of order, because the least sum has neither.
    _require_distinct(ordered, buckets, named or _shown)
    whole = Candidates(np.array([0, len(ordered)]), ordered[:1] != ordered[-1:])
    cuts = [whole] * (buckets - 1)
    while True:
        sums = _sums_through([cut.rows for cut in cuts], len(ordered))
        widths = [cut.width() for cut in cuts]
        if not any(widths):
            return [int(cut.rows[through.argmin()]) for cut, through in zip(cuts, sums, strict=True)]
        slack = sum(width**2 for width in widths) / 2
        good = [through - through.min() <= slack for through in sums]
        limit = max(widths) // PIECES
        cuts = [_refined(ordered, cut, near, limit) for cut, near in zip(cuts, good, strict=True)]


def even_cuts(values: NDArray[np.number], buckets: int) -> Axis:
    """The largest value of every bucket but the last, so that buckets are as even as ties allow and none is empty."""
    ordered: Axis = values.astype(np.complex128) if np.iscomplexobj(values) else values.astype(np.float64)
    ordered.sort()
    return ordered[np.array(cut_positions(ordered, buckets), dtype=np.int64) - 1]


def bucket_numbers(values: NDArray[np.number], cuts: Axis) -> NDArray[np.int64]:
    """The bucket of every value: the first whose cut is not below it."""
    return np.searchsorted(cuts, values, side="left")


def _refined(ordered: Axis, cut: Candidates, good: NDArray[np.bool_], limit: int) -> Candidates:
    """The good candidates and, around them, the ends of the ties that split every open gap wider than `limit`."""
    still_open = cut.open & (good[:-1] | good[1:])
    keep = good.copy()
    keep[:-1] |= still_open
    keep[1:] |= still_open
    widths = np.diff(cut.rows)
    wide = still_open & (widths > limit)
    inner = cut.rows[:-1][wide, None] + widths[wide, None] * np.arange(1, PIECES) // PIECES
    ties = np.unique(ordered[inner])
    ends = [np.searchsorted(ordered, ties, side="left"), np.searchsorted(ordered, ties, side="right")]
    rows = np.unique(np.concatenate([cut.rows[keep], *ends]))
    parent = np.searchsorted(cut.rows, rows[:-1], side="right") - 1
    return Candidates(rows, still_open[parent] & (ordered[rows[:-1]] != ordered[rows[1:] - 1]))


def _sums_through(cuts: Sequence[Rows], end: int) -> list[Rows]:
    """For every candidate of every cut, the least sum of squared bucket sizes with the cut there."""
    before = _sums_from(0, cuts)
    after = _sums_from(end, cuts[::-1])[::-1]
    return [left + right for left, right in zip(before, after, strict=True)]


def _sums_from(start: int, cuts: Sequence[Rows]) -> list[Rows]:
    """For every candidate of every cut, the least sum of squared bucket sizes between `start` and there."""
    sums = [(rows - start) ** 2 for rows in cuts[:1]]
    for last, here in pairwise(cuts):
        sums.append(_least_sums(here, last, sums[-1]))
    return sums


def _least_sums(here: Rows, last: Rows, sums: Rows) -> Rows:
    """For every row in `here`, the least of `sums` plus the squared size of the bucket that begins at `last`."""
    if len(here) * len(last) <= BLOCK or len(here) == 1:
        return np.asarray((np.subtract.outer(here, last) ** 2 + sums).min(axis=1))
    # Squares are convex, so the best `last` never moves left as `here` moves right: two smaller tables will do.
    middle = len(here) // 2
    best = int(((here[middle] - last) ** 2 + sums).argmin())
    left = _least_sums(here[:middle], last[: best + 1], sums[: best + 1])
    return np.concatenate([left, _least_sums(here[middle:], last[best:], sums[best:])])


def _require_distinct(ordered: Axis, buckets: int, named: Callable[[Any], str]) -> None:
    """Complain unless every bucket can have a value of its own, and every value has a place in the order."""
    if len(ordered) == 0:
        raise InputError(f"got no values, expected at least one for each of {buckets} buckets")
    if np.isnan(ordered[-1]):
        raise InputError("got NaN among the values, expected numbers; drop those rows or repair the metric")
    found: list[str] = []
    row = 0
    while row < len(ordered) and len(found) < buckets:
        end = int(np.searchsorted(ordered, ordered[row], side="right"))
        found.append(f"{named(ordered[row])} ({end - row:,}x)")
        row = end
    if len(found) < buckets:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise InputError(
            f"got {len(found)} distinct value{'s' * (len(found) > 1)}: {', '.join(found[:SHOWN])}{more}; too few for "
            f"{buckets} buckets. Ask for fewer buckets (-n {len(found)}), take another metric, or tell ties apart by "
            "a second metric (--tie-break)"
        )


def _shown(value: np.float64 | np.complex128) -> str:
    """A value for people, a pair with its tie-break; adding 0 turns -0 into 0."""
    if np.iscomplexobj(value):
        return f"({value.real + 0.0:.10g}, {value.imag + 0.0:.10g})"
    return f"{value.real + 0.0:.10g}"
