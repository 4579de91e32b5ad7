"""Repetition: the share of n-grams seen before, and the share of items in a loop."""

import sys
from collections.abc import Hashable, Sequence

import numpy as np

LONGEST_LOOP = 8  # items in one round of a loop
_WORD_BYTES = 8
_MIXES = (np.arange(1, 17, 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)  # odd, well spread bits
_HIGH = 1 if sys.byteorder == "little" else 0  # every byte of a window reaches the high half of its hash


def repeated_share(text: bytes, window: int) -> float:
    """The share of windows of so many bytes (a multiple of eight) that have occurred before.

    Bytes rather than words: one pass, and it means the same for prose, code and scripts without blanks.
    """
    count = len(text) - window + 1
    if count < 2:
        return 0.0
    words = np.ndarray((len(text) - _WORD_BYTES + 1,), "<u8", text, strides=(1,))
    hashes = words[:count] * _MIXES[0]
    for offset, mix in zip(range(_WORD_BYTES, window, _WORD_BYTES), _MIXES[1:], strict=False):
        hashes += words[offset : offset + count] * mix
    halves = hashes.view(np.uint32)[_HIGH::2].copy()  # they sort in half the time; collisions stay below one in 1,000
    halves.sort()
    return 1.0 - (1 + int(np.count_nonzero(halves[1:] != halves[:-1]))) / count


def loop_share(items: Sequence[Hashable]) -> float:
    """The share of items that only repeat a round of up to eight items directly before them.

    Of A B A B A B, the last four do: 2/3. An item that comes back after others is not a loop.
    """
    numbers: dict[Hashable, int] = {}
    ids = [numbers.setdefault(item, len(numbers)) for item in items]
    if len(numbers) == len(ids):
        return 0.0
    sequence = np.array(ids)
    looping = np.zeros(len(ids) + 1, dtype=np.int64)  # +1 where a run begins, -1 behind its end
    for period in range(1, min(LONGEST_LOOP, len(ids) // 2) + 1):
        same = np.concatenate(([False], sequence[period:] == sequence[:-period], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        starts, ends = edges[::2], edges[1::2]
        long = ends - starts >= period
        np.add.at(looping, starts[long] + period, 1)
        np.add.at(looping, ends[long] + period, -1)
    return float(np.count_nonzero(np.cumsum(looping[:-1]) > 0)) / len(ids)
