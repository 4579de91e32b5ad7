"""Policy `bandit`: buckets are arms, the learning signal that they gave lately is their value (SEC, DUMP)."""

from typing import Any

import numpy as np

from curriculum_verl.curriculum.feedback import GroupScores
from curriculum_verl.curriculum.mixing import Shares
from curriculum_verl.curriculum.policies.base import Prompts, SharePolicy, mean_by_bucket
from curriculum_verl.curriculum.pools import Pools
from curriculum_verl.schema import NotNegative, Positive, Share


class Bandit(SharePolicy):
    """Share of bucket b: softmax((Q[b] + U[b]) / temperature), mixed with `floor` of the stage's mix.

    Q[b] <- (1 - rate) Q[b] + rate * mean |advantage| of the bucket's training groups (SEC, Chen et al. 2025); U[b] =
    explore * sqrt(2 ln(1 + groups seen) / (1 + groups seen of b)) is DUMP's bonus (Wang et al. 2025), off by default.
    """

    def __init__(
        self,
        pools: Pools,
        *,
        rate: Share = 0.5,
        temperature: Positive = 0.2,
        explore: NotNegative = 0.0,
        floor: Share = 0.05,
    ):
        super().__init__(pools)
        self._rate, self._temperature, self._explore, self._floor = rate, temperature, explore, floor
        self._value = np.zeros(len(pools.index.names))
        self._seen = np.zeros(len(pools.index.names), dtype=np.int64)

    def shares(self, n: int) -> Shares:
        """The softmax over the buckets of the mix."""
        bonus = self._explore * np.sqrt(2 * np.log1p(self._seen.sum()) / (1 + self._seen))
        score = np.where(self.mix > 0, (self._value + bonus) / self._temperature, -np.inf)
        weight = np.exp(score - score.max())
        return np.asarray((1 - self._floor) * weight / weight.sum() + self._floor * self.mix)

    def observe(self, prompts: Prompts, rewards: GroupScores) -> None:
        """Move the value of every bucket that was seen."""
        mean, seen = mean_by_bucket(rewards.advantage, self.pools.index.bucket_of(prompts), len(self._value))
        self._value = np.where(seen > 0, (1 - self._rate) * self._value + self._rate * mean, self._value)
        self._seen += seen

    def state_dict(self) -> dict[str, Any]:
        """Values and counts."""
        return super().state_dict() | {"value": self._value.tolist(), "seen": self._seen.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved policy stood."""
        super().load_state_dict(state)
        self._value = np.array(state["value"])
        self._seen = np.array(state["seen"], dtype=np.int64)

    def metrics(self) -> dict[str, float]:
        """The value of every bucket."""
        return {f"value/{name}": value for name, value in self.pools.index.by_name(self._value).items()}
