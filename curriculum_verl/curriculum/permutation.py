"""Pseudo-random permutations computed on the fly: which item stands at a position, without an array of all items."""

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.randomness import mix64

ROUNDS = 6
SMALL = 256  # up to here a network is not random enough, and sorting all items costs little


def permute(positions: NDArray[np.int64], sizes: NDArray[np.int64], keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Where each position lands in the permutation of range(size) that its key names; all three are element-wise.

    Small ranges are sorted by a keyed hash. For the others, a Feistel network on pairs (left, right) with left <
    ceil(sqrt(size)): the pairs are fewer than size + sqrt(size), so that only a few results fall outside the range.
    Those are sent through again until they fall inside, which keeps the whole a bijection (cycle walking; Black and
    Rogaway 2002).
    """
    size = sizes.astype(np.uint64)
    height = np.ceil(np.sqrt(sizes)).astype(np.uint64)
    width = (size + height - np.uint64(1)) // height
    out = _rounds(positions.astype(np.uint64), height, width, keys)
    outside = np.flatnonzero(out >= size)
    while outside.size:
        out[outside] = _rounds(out[outside], height[outside], width[outside], keys[outside])
        outside = outside[out[outside] >= size[outside]]
    result = out.astype(np.int64)
    small = sizes <= SMALL
    for count in np.unique(sizes[small]):
        for key in np.unique(keys[sizes == count]):
            mine = (sizes == count) & (keys == key)
            result[mine] = _sorted_by_hash(int(count), key)[positions[mine]]
    return result


def _sorted_by_hash(size: int, key: np.uint64) -> NDArray[np.int64]:
    return np.argsort(mix64(mix64(key + np.arange(size, dtype=np.uint64)) ^ key))


def _rounds(
    items: NDArray[np.uint64], height: NDArray[np.uint64], width: NDArray[np.uint64], keys: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    left, right = np.divmod(items, width)
    for number in range(ROUNDS):
        key = mix64(keys + np.uint64(number))
        if number % 2 == 0:
            left = _shifted(left, mix64(key ^ right), height)
        else:
            right = _shifted(right, mix64(key ^ left), width)
    return left * width + right


def _shifted(half: NDArray[np.uint64], word: NDArray[np.uint64], size: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(half + a number below size, from the word's upper bits) modulo size, without a slow division."""
    total = half + ((word >> np.uint64(32)) * size >> np.uint64(32))
    return np.minimum(total, total - size)  # below size the subtraction wraps round to something huge
