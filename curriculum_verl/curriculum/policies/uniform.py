"""Policy `uniform`: every prompt of the stage's buckets alike; the baseline that a curriculum has to beat."""

import numpy as np

from curriculum_verl.curriculum.mixing import Shares
from curriculum_verl.curriculum.policies.base import SharePolicy


class Uniform(SharePolicy):
    """Bucket b's share is size[b] / (sizes of the stage's buckets): the mix only says which buckets take part."""

    def shares(self, n: int) -> Shares:
        """In proportion to the buckets' sizes."""
        sizes = np.where(self.mix > 0, self.pools.index.sizes, 0)
        return np.asarray(sizes / sizes.sum())
