"""The cut rule for contenders that have none: that of the package, on a contender's own values."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curriculum_verl.buckets import bucket_numbers, even_cuts

NAMES = ("easy", "medium", "hard")


def buckets_of(means: ArrayLike) -> NDArray[np.int64]:
    """The bucket of every mean reward, the highest first: easy."""
    # Rounded as ours are: the last digits of equal decimal means differ by the way in which they were added up.
    hardness = -np.round(np.asarray(means, dtype=np.float64), 11) + 0.0
    return bucket_numbers(hardness, even_cuts(hardness, len(NAMES)))
