"""Shares of a batch: whole prompts out of fractions, and floors that no share may fall below."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]
MOST_REPLAY = 0.9  # what extra replay may come to, so that the stage itself goes on
_TINY = 1e-9


def apportion(shares: Shares, n: int, owed: Shares) -> tuple[NDArray[np.int64], Shares]:
    """Split n prompts by shares; returns whole counts and what each bucket is still owed.

    Every count is the floor or the ceiling of n * share (within one prompt in every batch), and the odd prompts go to
    those that are owed most, so that many small batches - even of one prompt - add up to the shares as well.
    """
    ideal = shares * n
    counts = np.floor(ideal + _TINY).astype(np.int64)
    fraction = ideal - counts
    odd = n - int(counts.sum())
    if odd:
        claim = np.where(fraction > _TINY, fraction + owed, -np.inf)
        counts[np.argsort(-claim, kind="stable")[:odd]] += 1
    return counts, owed + ideal - counts


def raise_to_floors(shares: Shares, floors: Shares) -> Shares:
    """The nearest shares in which no bucket is below its floor; the others shrink in proportion."""
    raised = shares < floors
    while True:
        free = 1.0 - floors[raised].sum()
        rest = shares[~raised].sum()
        result = np.where(raised, floors, shares * (free / rest if rest > 0 else 0.0))
        below = ~raised & (result < floors)
        if not below.any():
            return result
        raised |= below


def replay_floors(
    taught: Sequence[str], floor: float, extra: Mapping[str, float], mix: Mapping[str, float]
) -> dict[str, float]:
    """The least share of every bucket taught before: the floor, split evenly among them.

    Where a bucket is given something extra, that comes on top of what the mix gives it already.
    """
    floors = {bucket: floor / len(taught) for bucket in taught}
    for bucket, more in extra.items():
        floors[bucket] = max(floors[bucket], mix.get(bucket, 0.0)) + more
    total = math.fsum(floors.values())
    limit = max(floor, MOST_REPLAY)
    return {bucket: least * limit / total for bucket, least in floors.items()} if total > limit else floors
