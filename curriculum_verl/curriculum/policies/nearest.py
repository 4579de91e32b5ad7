"""One bucket's prompts in order of difficulty, and a walk through those that are nearest to a level."""

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.permutation import permute
from curriculum_verl.curriculum.randomness import mix64

Places = NDArray[np.int64]


class NearestWalk:
    """Prompts sorted once and cut into blocks of neighbours; the n nearest blocks give one prompt each.

    At every turn a block gives its next prompt, so that one comes again only when its block is used up; blocks that are
    equally near, of which there may be any number, are walked round and round. A look costs as much as n blocks,
    however many there are.
    """

    def __init__(self, size: int, difficulty: NDArray[np.float32] | float, key: int):
        self._size = size
        self._difficulty = np.atleast_1d(np.asarray(difficulty, dtype=np.float32))  # one value: all are equally hard
        self._key = np.uint64(key)
        # 4 bytes a prompt, none where all are equally hard.
        self._order = np.argsort(difficulty, kind="stable").astype(np.uint32) if np.ndim(difficulty) else None

    def nearest(self, level: float, n: int, spread: int, turn: int, walked: int) -> Places:
        """Places in the bucket, nearest first: one of each of the n nearest blocks of about `spread` prompts.

        `walked` says where the walk through equally near blocks goes on.
        """
        blocks = -(-self._size // spread)
        n = min(n, blocks)
        centre = -(-self._easier(level) * blocks // self._size)  # the first block that does not start below the level
        window = np.arange(max(0, centre - n), min(blocks, centre + n))
        starts = self._level_at(window * self._size // blocks)
        distance = np.abs(starts - level)
        edge = np.partition(distance, n - 1)[n - 1]
        inside = np.flatnonzero(distance < edge)
        inside = window[inside[np.argsort(distance[inside], kind="stable")]]
        equal = [self._blocks_at(value, blocks) for value in np.unique(starts[distance == edge])]
        if len(inside) + sum(map(len, equal)) == n:
            return self._own_turns(np.concatenate([inside, *equal]), blocks, turn)
        at_edge = self._walk(equal, n - len(inside), blocks, walked)
        return np.concatenate([self._own_turns(inside, blocks, turn), at_edge])

    def _own_turns(self, block: NDArray[np.int64], blocks: int, turn: int) -> Places:
        """The next prompt of each block, every block having started elsewhere."""
        start = (mix64(block.astype(np.uint64) + self._key) >> np.uint64(32)).astype(np.int64)
        return self._take(block, start + turn, blocks)

    def _walk(self, ranges: list[range], n: int, blocks: int, walked: int) -> Places:
        """The next n of the equally near blocks, in an order that is new for every round through them."""
        total = sum(map(len, ranges))
        left = total - walked % total
        # A draw that spans two rounds may meet a block twice, and in a block of one that is the same prompt.
        number = n if left >= n else n + left
        rounds, position = np.divmod(walked + np.arange(number), total)
        keys = mix64(self._key + rounds.astype(np.uint64))
        chosen = permute(position, np.full(number, total), keys)
        shift = ranges[-1].start - len(ranges[0])
        block = np.where(chosen < len(ranges[0]), ranges[0].start + chosen, shift + chosen)
        places = self._take(block, rounds, blocks)
        return places if number == n else places[np.sort(np.unique(places, return_index=True)[1])[:n]]

    def _take(self, block: NDArray[np.int64], turn: NDArray[np.int64], blocks: int) -> Places:
        """The prompt whose turn it is in each block."""
        start, end = block * self._size // blocks, (block + 1) * self._size // blocks
        position = start + turn % (end - start)
        return position if self._order is None else self._order[position].astype(np.int64)

    def _blocks_at(self, level: float, blocks: int) -> range:
        """The blocks that start at exactly this level."""
        above = self._easier(float(np.nextafter(level, np.inf)))
        return range(*(min(blocks, -(-easier * blocks // self._size)) for easier in (self._easier(level), above)))

    def _easier(self, level: float) -> int:
        """How many prompts are easier than a level."""
        if self._order is None:
            return self._size if float(self._difficulty[0]) < level else 0
        low, high = 0, self._size
        while low < high:
            middle = (low + high) // 2
            easier = float(self._difficulty[self._order[middle]]) < level
            low, high = (middle + 1, high) if easier else (low, middle)
        return low

    def _level_at(self, position: NDArray[np.int64]) -> NDArray[np.float64]:
        """The difficulty at a position in the order."""
        rows = np.zeros_like(position) if self._order is None else self._order[position]
        return self._difficulty[rows].astype(np.float64)
