"""Sketches: what is kept of millions of numbers, in a few kilobytes, exact in count and sum."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

PER_DOUBLING = 16  # bins: neighbours differ by 4.4 %, and whole numbers up to 22 have a bin each
DOUBLINGS = 40
LINEAR_BINS = 40


@dataclass(frozen=True, slots=True)
class Bins:
    """Edges of bins; a value belongs to the last bin whose lower edge it reaches, one beyond the ends to the outer."""

    edges: tuple[float, ...]

    def places(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """The bin of every value."""
        found = np.searchsorted(np.array(self.edges), values, side="right") - 1
        return np.clip(found, 0, len(self.edges) - 2).astype(np.int64)


# For whole numbers: 0, then from 1 on so many bins a doubling; the edges lie a hair low, so that a power of two is in
# the bin that begins with it.
LOG = Bins((0.0, *(2.0 ** (step / PER_DOUBLING) * (1 - 1e-12) for step in range(DOUBLINGS * PER_DOUBLING + 1))))
SIGNED = Bins(tuple(np.linspace(-1.0, 1.0, LINEAR_BINS + 1).tolist()))


@dataclass(slots=True)
class Sketch:
    """A histogram of fixed bins with count, sum, least and most. What parts give together is what the whole gives."""

    bins: Bins
    counts: NDArray[np.int64] = field(init=False)
    total: float = 0.0
    least: float = np.inf
    most: float = -np.inf

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.bins.edges) - 1, dtype=np.int64)

    @property
    def count(self) -> int:
        """How many numbers there were."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Their mean; not a number where there were none."""
        return self.total / self.count if self.count else np.nan

    def add(self, given: ArrayLike) -> None:
        """Take in finite numbers."""
        values = np.asarray(given, dtype=np.float64)
        if not len(values):
            return
        self.counts += np.bincount(self.bins.places(values), minlength=len(self.counts))
        self.total += float(values.sum())
        self.least, self.most = min(self.least, float(values.min())), max(self.most, float(values.max()))

    def merge(self, other: "Sketch") -> None:
        """Take in what another sketch has seen."""
        self.counts += other.counts
        self.total += other.total
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)

    def quantile(self, share: float) -> float:
        """The value below which so large a share lies: the middle of its bin, within least and most."""
        if not self.count:
            return np.nan
        rank = share * (self.count - 1)
        place = int(np.searchsorted(np.cumsum(self.counts), rank, side="right"))
        low, high = self.bins.edges[place], self.bins.edges[place + 1]
        middle = (low + high) / 2
        if self.bins is LOG:  # of whole numbers: the only one in the bin, or one in the middle
            middle = float(np.ceil(low)) if high - low <= 1 else float(round(middle))
        return min(self.most, max(self.least, middle))

    def __getstate__(self) -> tuple[bool, NDArray[np.int64], float, float, float]:
        return self.bins is LOG, self.counts, self.total, self.least, self.most

    def __setstate__(self, state: tuple[bool, NDArray[np.int64], float, float, float]) -> None:
        logarithmic, self.counts, self.total, self.least, self.most = state
        self.bins = LOG if logarithmic else SIGNED


def joined(sketches: Sequence[Sketch], bins: Bins) -> Sketch:
    """One sketch of all."""
    whole = Sketch(bins)
    for sketch in sketches:
        whole.merge(sketch)
    return whole
