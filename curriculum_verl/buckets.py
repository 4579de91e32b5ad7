"""Cutting an axis of difficulty into buckets without ever parting equal values."""

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.errors import InputError


def even_cuts(values: NDArray[np.floating], buckets: int) -> NDArray[np.float64]:
    """The largest value of every bucket but the last, so that buckets are about equal and none is empty.

    Each cut is the boundary between two distinct values that is nearest to the even split, as far as it leaves at
    least one distinct value for every bucket.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < buckets:
        shown = ", ".join(f"{value:g}" for value in distinct[:10])
        raise InputError(
            f"got {len(distinct)} distinct values ({shown}), too few for {buckets} buckets; "
            "ask for fewer buckets, or for a metric that tells the prompts apart"
        )
    below = np.cumsum(counts)
    cuts: list[int] = []
    for number in range(1, buckets):
        first = cuts[-1] + 1 if cuts else 0
        last = len(distinct) - 1 - (buckets - number)
        wanted = len(values) * number / buckets
        cuts.append(first + int(np.abs(below[first : last + 1] - wanted).argmin()))
    return np.asarray(distinct[cuts], dtype=np.float64)


def bucket_numbers(values: NDArray[np.floating], cuts: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bucket of every value: the first whose cut is not below it."""
    return np.searchsorted(cuts, values, side="left")
