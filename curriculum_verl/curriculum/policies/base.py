"""What a policy is, and the part that nearly all of them share."""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.feedback import GroupScores
from curriculum_verl.curriculum.mixing import Shares, apportion, raise_to_floors
from curriculum_verl.curriculum.pools import Pools

Prompts = NDArray[np.int64]


class Policy(Protocol):
    """The rule that picks prompts inside a stage; built as `Class(pools, **parameters)`.

    `begin_stage` comes before the first draw, at every switch and whenever replay shares change: `mix` holds the
    share of every bucket in the stage (0: not in it), `floors` what replay keeps for buckets of earlier stages.
    """

    def begin_stage(self, mix: Shares, floors: Shares) -> None:
        """Take over a stage."""

    def draw(self, n: int) -> Prompts:
        """The row numbers of the next n prompts."""

    def observe(self, prompts: Prompts, rewards: GroupScores) -> None:
        """Learn from one step: a group of rewards for every prompt, each with at least one score."""

    def state_dict(self) -> dict[str, Any]:
        """A snapshot: plain values, and NumPy arrays where there is something for every prompt."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved policy stood."""

    def metrics(self) -> dict[str, float]:
        """Numbers for a logger, without a prefix."""


class SharePolicy(ABC):
    """A policy that gives every bucket a share of the batch and takes prompts from the pools' walk.

    A subclass overrides `shares`; what it learns it adds to the four methods of state. Floors hold whatever it answers.
    """

    def __init__(self, pools: Pools):
        self.pools = pools
        self._owed: Shares = np.zeros(len(pools.index.names))
        self.mix: Shares = self._owed
        self.floors: Shares = self._owed

    def begin_stage(self, mix: Shares, floors: Shares) -> None:
        """Take over a stage's mix; what buckets were owed under the old one is forgotten."""
        self.mix, self.floors = mix, floors
        self._owed = np.zeros(len(mix))

    @abstractmethod
    def shares(self, n: int) -> Shares:
        """The share of every bucket in the next batch of n; they sum to 1 and are 0 outside the mix."""

    def draw(self, n: int) -> Prompts:
        """The next n prompts, bucket after bucket."""
        counts, self._owed = apportion(raise_to_floors(self.shares(n), self.floors), n, self._owed)
        return self.pick(counts)

    def pick(self, counts: NDArray[np.int64]) -> Prompts:
        """counts[b] prompts of every bucket b."""
        return self.pools.take(counts)

    def observe(self, prompts: Prompts, rewards: GroupScores) -> None:  # noqa: B027 - learning is optional
        """Learn from one step; a policy that follows the mix has nothing to learn."""

    def state_dict(self) -> dict[str, Any]:
        """What buckets are owed."""
        return {"owed": self._owed.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved policy stood."""
        self._owed = np.array(state["owed"])

    def metrics(self) -> dict[str, float]:
        """Nothing beyond what the curriculum itself reports."""
        return {}


def mean_by_bucket(
    values: NDArray[np.float64], buckets: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The mean of values in every bucket (0 where there is none), and how many there are."""
    seen = np.bincount(buckets, minlength=count)
    return np.bincount(buckets, weights=values, minlength=count) / np.maximum(seen, 1), seen
