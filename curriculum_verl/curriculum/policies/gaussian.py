"""Policy `gaussian`: a bell of interest that moves from the easiest to the hardest bucket on a schedule (E2H-G)."""

from typing import Any

import numpy as np

from curriculum_verl.curriculum.feedback import GroupScores
from curriculum_verl.curriculum.mixing import Shares
from curriculum_verl.curriculum.policies.base import Prompts, SharePolicy
from curriculum_verl.curriculum.pools import Pools
from curriculum_verl.schema import Count, Positive


class Gaussian(SharePolicy):
    """Share of the k-th of K buckets: exp(-(x - k)^2 / (2 width^2)), with x = (K - 1) * min(1, t / steps)^power.

    Easy-to-hard scheduling (Parashar et al. 2025); t counts the steps observed, over all stages. No feedback is used.
    """

    def __init__(self, pools: Pools, *, steps: Count, width: Positive = 0.75, power: Positive = 0.5):
        super().__init__(pools)
        self._steps, self._width, self._power = steps, width, power
        self._seen = 0

    def shares(self, n: int) -> Shares:
        """The bell over the buckets of the mix."""
        members = np.flatnonzero(self.mix > 0)
        shares = np.zeros(len(self.mix))
        exponent = -((self._centre(len(members)) - np.arange(len(members))) ** 2) / (2 * self._width**2)
        bell = np.exp(exponent - exponent.max())
        shares[members] = bell / bell.sum()
        return shares

    def _centre(self, buckets: int) -> float:
        return float((buckets - 1) * min(1.0, self._seen / self._steps) ** self._power)

    def observe(self, prompts: Prompts, rewards: GroupScores) -> None:
        """Count the step."""
        self._seen += 1

    def state_dict(self) -> dict[str, Any]:
        """The steps counted."""
        return super().state_dict() | {"seen": self._seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved policy stood."""
        super().load_state_dict(state)
        self._seen = int(state["seen"])

    def metrics(self) -> dict[str, float]:
        """Where the bell stands: 0 is the stage's easiest bucket."""
        return {"centre": self._centre(int((self.mix > 0).sum()))}
