"""A policy of your own: named in the recipe by dotted path, with its parameters.

curriculum-verl simulate examples/custom_policy.yaml
"""

import numpy as np

from curriculum_verl.curriculum.mixing import Shares
from curriculum_verl.curriculum.policies.base import SharePolicy
from curriculum_verl.curriculum.pools import Pools


class HardestFirst(SharePolicy):
    """Gives the stage's hardest bucket a fixed share and spreads the rest over the others.

    SharePolicy does the rest: exact shares, replay floors, the walk without repeats, state.
    """

    def __init__(self, pools: Pools, *, share: float = 0.7):
        super().__init__(pools)
        self._share = share

    def shares(self, n: int) -> Shares:
        """The share of every bucket in the next batch of n."""
        members = np.flatnonzero(self.mix > 0)
        shares = np.zeros(len(self.mix))
        shares[members] = (1 - self._share) / max(1, len(members) - 1)
        shares[members[-1]] = self._share
        return shares / shares.sum()
