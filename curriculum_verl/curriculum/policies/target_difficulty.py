"""Policy `target_difficulty`: prompts nearest to a target difficulty that rises with success (AdaRFT, mended)."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.mixing import Shares
from curriculum_verl.curriculum.policies.base import Prompts, SharePolicy
from curriculum_verl.curriculum.pools import Pools
from curriculum_verl.curriculum.randomness import key_of, mix64
from curriculum_verl.curriculum.rewards import GroupRewards
from curriculum_verl.schema import Count, Positive


class TargetDifficulty(SharePolicy):
    """T <- clip(T + step_size * (hardest - easiest) * tanh(sensitivity * (R - target))), R the mean score of the step.

    Adaptive curriculum RFT (Shi et al. 2025), with its known faults mended: T is part of the state and survives a
    resume; a draw asks for T when the batch is made, not when it was prefetched; and a T that stands still does not
    repeat its batch. For the last, each bucket's prompts are sorted by difficulty once and cut into blocks of about
    `spread` neighbours; a draw takes one prompt of each of the blocks nearest to T, the next one at every draw, so
    that a block comes round only when its prompts are used up. A draw looks at n blocks a bucket, however many
    prompts there are.

    Without difficulties in the prompt index a prompt is as hard as its bucket's number.
    """

    def __init__(
        self,
        pools: Pools,
        *,
        step_size: Positive = 0.05,
        sensitivity: Positive = 2.0,
        target: float = 0.5,
        start: float | None = None,
        spread: Count = 8,
    ):
        super().__init__(pools)
        self._step_size, self._sensitivity, self._target, self._spread = step_size, sensitivity, target, spread
        index = pools.index
        self._sorted = None if index.difficulty is None else _sorted_rows(index.difficulty, index.offsets)
        if index.difficulty is None:
            self._range = (0.0, float(len(index.names) - 1))
        else:
            self._range = (float(index.difficulty.min()), float(index.difficulty.max()))
        self._level = self._range[0] if start is None else start
        self._draws = 0

    def shares(self, n: int) -> Shares:
        """Where the n nearest prompts lie."""
        nearest = self._nearest(np.flatnonzero(self._mix > 0), n, n)
        return np.bincount(self.pools.index.bucket_of(nearest), minlength=len(self._mix)) / len(nearest)

    def pick(self, counts: NDArray[np.int64]) -> Prompts:
        """The counts[b] prompts of every bucket b that are nearest to the target."""
        n = int(counts.sum())
        picked = [self._nearest(np.array([bucket]), int(counts[bucket]), n) for bucket in np.flatnonzero(counts)]
        self._draws += 1
        missing = np.array(
            counts
        )  # a bucket smaller than its share of the batch: the walk repeats prompts for the rest
        missing[np.flatnonzero(counts)] -= [len(prompts) for prompts in picked]
        return np.concatenate([*picked, self.pools.take(missing)])

    def _nearest(self, buckets: NDArray[np.int64], n: int, batch: int) -> Prompts:
        """The n prompts of these buckets nearest to the target, of this draw's one prompt a block."""
        sizes = self.pools.index.sizes
        spread = int(np.clip(sizes[self._mix > 0].sum() // batch, 1, self._spread))
        admission = self.pools.admission
        reach = n if admission is None else 2 * n
        prompts = np.concatenate([self._near_in_bucket(int(bucket), reach, spread) for bucket in buckets])
        distance = np.abs(self._difficulty(prompts) - self._level)
        if admission is not None:  # what admission would skip is taken only if there is nothing else
            distance = np.where(admission.admits(prompts), distance, np.inf)
        return prompts[np.argsort(distance, kind="stable")[:n]]

    def _near_in_bucket(self, bucket: int, reach: int, spread: Count) -> Prompts:
        first, size = int(self.pools.index.offsets[bucket]), int(self.pools.index.sizes[bucket])
        blocks = -(-size // spread)
        centre = self._easier(bucket) * blocks // size
        low = max(0, min(centre - reach // 2, blocks - reach))
        block = np.arange(low, min(blocks, low + reach))
        start, end = block * size // blocks, (block + 1) * size // blocks
        turn = mix64(block.astype(np.uint64) + np.uint64(key_of(self.pools.seed, bucket))) >> np.uint64(32)
        position = first + start + (turn.astype(np.int64) + self._draws) % (end - start)
        return position if self._sorted is None else first + self._sorted[position].astype(np.int64)

    def _easier(self, bucket: int) -> int:
        """How many prompts of the bucket are easier than the target."""
        first, size = int(self.pools.index.offsets[bucket]), int(self.pools.index.sizes[bucket])
        difficulty = self.pools.index.difficulty
        if difficulty is None or self._sorted is None:
            return size if bucket < self._level else 0
        low, high = 0, size
        while low < high:
            middle = (low + high) // 2
            easier = difficulty[first + int(self._sorted[first + middle])] < self._level
            low, high = (middle + 1, high) if easier else (low, middle)
        return low

    def _difficulty(self, prompts: Prompts) -> NDArray[np.floating]:
        if self.pools.index.difficulty is None:
            return self.pools.index.bucket_of(prompts).astype(np.float64)
        return self.pools.index.difficulty[prompts]

    def observe(self, prompts: Prompts, rewards: GroupRewards) -> None:
        """Move the target by the rule above."""
        low, high = self._range
        pull = np.tanh(self._sensitivity * (float(rewards.mean.mean()) - self._target))
        self._level = float(np.clip(self._level + self._step_size * (high - low) * pull, low, high))

    def state_dict(self) -> dict[str, Any]:
        """The target and the count of draws."""
        return super().state_dict() | {"level": self._level, "draws": self._draws}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved policy stood."""
        super().load_state_dict(state)
        self._level, self._draws = float(state["level"]), int(state["draws"])

    def metrics(self) -> dict[str, float]:
        """The target difficulty."""
        return {"target": self._level}


def _sorted_rows(difficulty: NDArray[np.float32], offsets: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Each bucket's rows, counted from its first, from easiest to hardest: 4 bytes a prompt."""
    rows = np.empty(len(difficulty), dtype=np.uint32)
    for first, end in itertools.pairwise(offsets):
        rows[first:end] = np.argsort(difficulty[first:end], kind="stable")
    return rows
