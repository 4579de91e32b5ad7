"""Policy `target_difficulty`: prompts nearest to a target difficulty that rises with success (AdaRFT, mended)."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.mixing import Shares
from curriculum_verl.curriculum.policies.base import Prompts, SharePolicy
from curriculum_verl.curriculum.policies.nearest import NearestWalk
from curriculum_verl.curriculum.pools import Pools
from curriculum_verl.curriculum.randomness import key_of
from curriculum_verl.curriculum.rewards import GroupRewards
from curriculum_verl.schema import Count, Positive


class TargetDifficulty(SharePolicy):
    """T <- clip(T + step_size * (hardest - easiest) * tanh(sensitivity * (R - target))), R the mean score of the step.

    Hardest and easiest are those of all data; T is clipped to the buckets of the stage.

    Adaptive curriculum RFT (Shi et al. 2025), with its known faults mended: T is part of the state and survives a
    resume; a draw asks for T when the batch is made, not when it was prefetched; and a T that stands still does not
    repeat its batch: of the `spread` * n prompts nearest to T each draw takes another n (see NearestWalk).

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
        hard = [float(b) if index.difficulty is None else index.difficulty[rows] for b, rows in enumerate(index.rows())]
        keys = [key_of(pools.seed, bucket) for bucket in range(len(hard))]
        self._walks = [NearestWalk(int(n), h, key) for n, h, key in zip(index.sizes, hard, keys, strict=True)]
        self._ranges = np.array([(np.min(h), np.max(h)) for h in hard], dtype=np.float64)
        self._level = float(self._ranges.min()) if start is None else start
        self._draws = 0

    def begin_stage(self, mix: Shares, floors: Shares) -> None:
        """Take over a stage; the target stays within what its buckets hold."""
        super().begin_stage(mix, floors)
        self._move_to(self._level)

    def shares(self, n: int) -> Shares:
        """Where the n nearest prompts lie."""
        nearest = self._nearest(np.flatnonzero(self._mix > 0), n, n)
        return np.bincount(self.pools.index.bucket_of(nearest), minlength=len(self._mix)) / len(nearest)

    def pick(self, counts: NDArray[np.int64]) -> Prompts:
        """The counts[b] prompts of every bucket b that are nearest to the target."""
        batch = int(counts.sum())
        picked = [self._nearest([bucket], int(count), batch) for bucket, count in enumerate(counts) if count]
        self._draws += 1
        missing = counts - np.bincount(self.pools.index.bucket_of(np.concatenate(picked)), minlength=len(counts))
        return np.concatenate([*picked, self.pools.take(missing)])  # a bucket smaller than its share is repeated

    def _nearest(self, buckets: Iterable[int], n: int, batch: int) -> Prompts:
        """The n prompts of these buckets nearest to the target; fewer if they hold fewer."""
        index, admission = self.pools.index, self.pools.admission
        spread = int(np.clip(index.sizes[self._mix > 0].sum() // batch, 1, self._spread))
        reach = n if admission is None else 2 * n
        places = [self._walks[b].nearest(self._level, reach, spread, self._draws) + index.offsets[b] for b in buckets]
        prompts = np.concatenate(places)
        hard = index.bucket_of(prompts) if index.difficulty is None else index.difficulty[prompts]
        distance = np.abs(hard - self._level)
        if admission is not None:  # what admission would skip is taken only if there is nothing else
            distance = np.where(admission.admits(prompts), distance, np.inf)
        return prompts[np.argsort(distance, kind="stable")[:n]]

    def observe(self, prompts: Prompts, rewards: GroupRewards) -> None:
        """Move the target by the rule above."""
        pull = np.tanh(self._sensitivity * (float(rewards.mean.mean()) - self._target))
        self._move_to(self._level + self._step_size * float(np.ptp(self._ranges)) * float(pull))

    def _move_to(self, level: float) -> None:
        members = self._ranges[self._mix > 0]
        self._level = float(np.clip(level, members.min(), members.max()))

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
