"""Policy `target_difficulty`: prompts nearest to a target difficulty that rises with success (AdaRFT, mended)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.feedback import GroupScores
from curriculum_verl.curriculum.mixing import Shares
from curriculum_verl.curriculum.policies.base import Prompts, SharePolicy
from curriculum_verl.curriculum.policies.nearest import NearestWalk
from curriculum_verl.curriculum.pools import Pools
from curriculum_verl.curriculum.randomness import key_of
from curriculum_verl.schema import Count, Positive


class TargetDifficulty(SharePolicy):
    """T <- clip(T + step_size * (hardest - easiest) * tanh(sensitivity * (R - target))), R the mean score of the step.

    Hardest and easiest are those of all data; T is clipped to the buckets of the stage.

    Adaptive curriculum RFT (Shi et al. 2025), with its known faults mended: T is part of the state and survives a
    resume; a draw asks for T when the batch is made, not when it was prefetched; and a T that stands still does not
    repeat its batch: of the `spread` * n prompts nearest to T each step takes another n (see NearestWalk). All draws
    between two observations count as one, so that prompts asked for one at a time are as near as those of a whole
    batch; but where several are equally near, one may then come twice.

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
        self._turn = 0
        self._block = spread
        self._given = np.zeros(len(hard), dtype=np.int64)  # since the last observation, by bucket
        self._walked = np.zeros(len(hard), dtype=np.int64)  # before it

    def begin_stage(self, mix: Shares, floors: Shares) -> None:
        """Take over a stage; the target stays within what its buckets hold."""
        super().begin_stage(mix, floors)
        self._move_to(self._level)

    def shares(self, n: int) -> Shares:
        """Where the n nearest prompts lie that were not given since the last observation."""
        members = np.flatnonzero(self.mix > 0)
        sizes = self.pools.index.sizes[members]
        given = int(self._given[members].sum())
        if given and given + n > (-(-sizes // self._block)).sum():  # used up without an observation
            self._next_turn()
            given = 0
        if not given:
            self._block = int(np.clip(sizes.sum() // n, 1, self._spread))
        prompts = np.concatenate([self._near(int(bucket), given + n, self._block) for bucket in members])
        nearest = prompts[np.argsort(self._distance(prompts), kind="stable")[: given + n]]
        fresh = np.bincount(self.pools.index.bucket_of(nearest), minlength=len(self.mix)) - self._given
        shares = np.where(self.mix > 0, np.maximum(fresh, 0), 0).astype(np.float64)
        return shares / shares.sum() if shares.any() else self.mix

    def pick(self, counts: NDArray[np.int64]) -> Prompts:
        """The next counts[b] prompts of every bucket b, by nearness to the target."""
        picked = [self._pick_in(bucket, int(count)) for bucket, count in enumerate(counts) if count]
        missing = counts - np.bincount(self.pools.index.bucket_of(np.concatenate(picked)), minlength=len(counts))
        return np.concatenate([*picked, self.pools.take(missing)])  # a bucket smaller than its share is repeated

    def _pick_in(self, bucket: int, count: int) -> Prompts:
        given = int(self._given[bucket])
        spare = 0 if self.pools.admission is None else count
        size, block = int(self.pools.index.sizes[bucket]), self._block
        if given + count > -(-size // block):  # a floor may take more than there are blocks: then they are cut smaller
            block = max(1, size // (given + count))
        near = self._near(bucket, given + count + spare, block)[given:]
        # What admission would skip is taken only if there is nothing else.
        chosen = np.sort(np.argsort(~self.pools.admitted(near), kind="stable")[:count])
        self._given[bucket] += chosen[-1] + 1 if len(chosen) else 0
        picked: Prompts = near[chosen]
        return picked

    def _near(self, bucket: int, n: int, block: int) -> Prompts:
        """The n prompts of a bucket that are nearest to the target, nearest first; fewer if it has fewer blocks."""
        walked = int(self._walked[bucket])
        places = self._walks[bucket].nearest(self._level, n, block, self._turn, walked)
        prompts: Prompts = places + self.pools.index.offsets[bucket]
        return prompts

    def _distance(self, prompts: Prompts) -> NDArray[np.float64]:
        index = self.pools.index
        hard = index.bucket_of(prompts) if index.difficulty is None else index.difficulty[prompts]
        return np.asarray(np.abs(hard - self._level), dtype=np.float64)

    def _next_turn(self) -> None:
        self._turn += 1
        self._walked += self._given
        self._given = np.zeros_like(self._given)

    def observe(self, prompts: Prompts, rewards: GroupScores) -> None:
        """Move the target by the rule above."""
        self._next_turn()
        if len(prompts):
            pull = float(np.tanh(self._sensitivity * (float(rewards.mean.mean()) - self._target)))
            self._move_to(self._level + self._step_size * float(np.ptp(self._ranges)) * pull)

    def _move_to(self, level: float) -> None:
        members = self._ranges[self.mix > 0]
        self._level = float(np.clip(level, members.min(), members.max()))

    def state_dict(self) -> dict[str, Any]:
        """The target, and where the walks stand."""
        return super().state_dict() | {
            "level": self._level,
            "turn": self._turn,
            "block": self._block,
            "given": self._given.tolist(),
            "walked": self._walked.tolist(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved policy stood."""
        super().load_state_dict(state)
        self._level, self._turn, self._block = float(state["level"]), int(state["turn"]), int(state["block"])
        self._given = np.array(state["given"], dtype=np.int64)
        self._walked = np.array(state["walked"], dtype=np.int64)

    def metrics(self) -> dict[str, float]:
        """The target difficulty."""
        return {"target": self._level}
