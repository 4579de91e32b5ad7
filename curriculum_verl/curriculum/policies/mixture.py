"""Policy `mixture`: the stage's mix, exactly."""

from curriculum_verl.curriculum.mixing import Shares
from curriculum_verl.curriculum.policies.base import SharePolicy


class Mixture(SharePolicy):
    """Every batch holds n * mix[b] prompts of bucket b to within one; no feedback is used.

    Hand-made stages as in the seeds of curriculum learning (Bengio et al. 2009).
    """

    def shares(self, n: int) -> Shares:
        """The mix."""
        return self.mix
