"""A hash over prompt ids in order: two data sets with the same one hold the same prompts in the same places."""

from collections.abc import Iterable, Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray


class IdsHash:
    """Takes the keys of prompts, any number at a time."""

    def __init__(self) -> None:
        self._hash = xxhash.xxh3_128()

    def update(self, keys: Sequence[int] | NDArray[np.uint64]) -> None:
        """Add keys."""
        self._hash.update(np.asarray(keys, dtype="<u8").tobytes())

    def __str__(self) -> str:
        return f"xxh3-128:{self._hash.hexdigest()}"


def joint_hash(hashes: Iterable[str]) -> str:
    """One hash for several, in order."""
    return "xxh3-128:" + xxhash.xxh3_128_hexdigest("".join(hashes).encode())
