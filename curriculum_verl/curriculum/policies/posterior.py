"""Policy `posterior`: Thompson sampling on pass rates, per bucket for the shares and per prompt inside a bucket."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.feedback import GroupScores
from curriculum_verl.curriculum.mixing import Shares
from curriculum_verl.curriculum.policies.base import Prompts, SharePolicy, mean_by_bucket
from curriculum_verl.curriculum.pools import Pools
from curriculum_verl.curriculum.randomness import RandomStream
from curriculum_verl.schema import Count, OpenShare, Positive, Share

_RECORD = np.dtype([("wins", np.float16), ("losses", np.float16), ("step", np.uint32)])
_GROUP_EVIDENCE = 4.0  # responses to one prompt are not independent: a group counts as four trials of its bucket
_BUCKET_MEMORY = 6.0  # discounting never leaves a bucket less evidence than this
_LEAST_EVIDENCE = 0.1  # what years of forgetting leave of either side: a Beta needs both above 0
_OFFLINE_EVIDENCE = 4.0  # what a bucket's offline mean pass rate is worth
_THOMPSON_DRAWS = 256
_STRETCH_POWER = 4.0  # half of a bucket's stretch is earned at a pass rate of 0.84, a sixteenth at 0.5
_PROMPT_EVIDENCE_LIMIT = 1024.0  # float16 counts this high to the half


class Posterior(SharePolicy):
    """Prefers prompts whose pass rate is near `target`, by Beta posteriors that forget.

    Bucket b has a discounted Beta(a, b), and shares of the stage by its usefulness^`sharpness` in Thompson draws;
    usefulness of a pass rate p is p^target (1 - p)^(1 - target), which peaks at the target.
    Of a bucket with the pass rate p a share `stretch` * p^4 moves one bucket harder, a share `floor` follows the
    stage's mix. So what is half solved keeps nearly all of its slots, and what is mastered hands them on before the
    harder bucket has shown a success: usefulness alone would wait for that.

    Inside a bucket `candidates` times as many prompts as needed are taken from the walk, and the most useful by a
    Thompson draw are kept; a share `floor` is kept blindly. A prompt's posterior is its own evidence, halved every
    `half_life` steps, on top of `strength` pseudo-responses at the rate that its bucket suggests: the bucket's
    present rate, moved on the logit scale by as much as the prompt's offline pass rate stood off the bucket's. So
    prompts seen rarely or never borrow from their bucket, and all of them move when the bucket is learned.

    Beta posteriors per prompt: MoPPS (Qu et al. 2025); the pooling by bucket, the walk and the stretch are ours.
    """

    def __init__(
        self,
        pools: Pools,
        *,
        target: OpenShare = 0.5,
        half_life: Positive = 200.0,
        strength: Positive = 8.0,
        bucket_decay: Share = 0.8,
        candidates: Count = 4,
        floor: Share = 0.1,
        stretch: Share = 1.0,
        sharpness: Positive = 5.0,
    ):
        super().__init__(pools)
        self._target, self._half_life, self._strength = target, half_life, strength
        self._bucket_decay, self._candidates, self._floor, self._stretch = bucket_decay, candidates, floor, stretch
        self._sharpness = sharpness
        self._random = RandomStream(pools.seed, "posterior")
        self._records = np.zeros(len(pools.index), dtype=_RECORD)
        self._offline = _offline_means(pools)
        self._wins = 1.0 + _OFFLINE_EVIDENCE * self._offline
        self._losses = 1.0 + _OFFLINE_EVIDENCE * (1.0 - self._offline)
        self._step = 0

    def shares(self, n: int) -> Shares:
        """By how useful the buckets are, stretched and mixed with the floor."""
        members = np.flatnonzero(self.mix > 0)
        wins, losses = np.maximum(_LEAST_EVIDENCE, (self._wins[members], self._losses[members]))
        rates = self._random.next().beta(wins, losses, (_THOMPSON_DRAWS, len(members)))
        useful = self._usefulness(rates)
        weights = np.exp(self._sharpness * (useful - useful.max(axis=1, keepdims=True)))
        wanted = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0)
        moving = wanted[:-1] * self._stretch * (wins / (wins + losses))[:-1] ** _STRETCH_POWER
        wanted[:-1] -= moving
        wanted[1:] += moving
        shares = self._floor * self.mix
        shares[members] += (1 - self._floor) * wanted
        return shares

    def _usefulness(self, rates: NDArray[np.float64]) -> NDArray[np.float64]:
        rates = np.clip(rates, 1e-12, 1 - 1e-12)
        return self._target * np.log(rates) + (1 - self._target) * np.log1p(-rates)

    def pick(self, counts: NDArray[np.int64]) -> Prompts:
        """Of several candidates for every slot, the most useful by a Thompson draw."""
        # Of a small bucket at most half is offered: to gather more than that without repeats is slow, and tells little.
        offered = np.maximum(counts, np.minimum(counts * self._candidates, self.pools.index.sizes // 2))
        prompts = self.pools.take(offered)
        buckets = np.repeat(np.arange(len(counts)), offered)
        random = self._random.next()
        score = self._usefulness(random.beta(*self._beta(prompts, buckets)))
        ticket = random.random(len(prompts))
        blind = ticket * offered[buckets] < self._floor * counts[buckets]
        score[blind] = ticket[blind] + 1.0  # above every usefulness, which is a logarithm
        starts = np.cumsum(offered) - offered
        kept = [
            start + np.sort(np.argpartition(-score[start : start + size], count - 1)[:count])
            for start, size, count in zip(starts, offered, counts, strict=True)
            if count
        ]
        taken: Prompts = prompts[np.concatenate(kept)]
        return taken

    def _beta(self, prompts: Prompts, buckets: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        wins, losses = self._evidence(prompts)
        now = _logit(self._wins / (self._wins + self._losses))
        if self.pools.index.pass_rate is None:
            moved = now[buckets]
        else:
            offline = self.pools.index.pass_rate[prompts].astype(np.float64)
            offline = np.where(np.isnan(offline), self._offline[buckets], offline)
            moved = _logit(offline) + (now - _logit(self._offline))[buckets]
        rate = np.clip(1.0 / (1.0 + np.exp(-moved)), 0.01, 0.99)
        return wins + self._strength * rate, losses + self._strength * (1.0 - rate)

    def _evidence(self, prompts: Prompts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        records = self._records[prompts]
        keep = np.exp2((records["step"].astype(np.float64) - self._step) / self._half_life)
        return records["wins"] * keep, records["losses"] * keep

    def observe(self, prompts: Prompts, rewards: GroupScores) -> None:
        """Forget a little, then add this step's responses to their prompts and buckets."""
        self._step += 1
        total = self._wins + self._losses
        keep = np.maximum(total * self._bucket_decay, np.minimum(total, _BUCKET_MEMORY)) / total
        rate, seen = mean_by_bucket(rewards.pass_rate, self.pools.index.bucket_of(prompts), len(total))
        self._wins = self._wins * keep + _GROUP_EVIDENCE * seen * rate
        self._losses = self._losses * keep + _GROUP_EVIDENCE * seen * (1.0 - rate)

        prompts, groups = np.unique(prompts, return_inverse=True)
        wins, losses = self._evidence(prompts)
        wins += np.bincount(groups, weights=rewards.passes)
        losses += np.bincount(groups, weights=rewards.responses - rewards.passes)
        shrink = np.minimum(1.0, _PROMPT_EVIDENCE_LIMIT / (wins + losses))
        records = np.empty(len(prompts), dtype=_RECORD)
        records["wins"], records["losses"], records["step"] = wins * shrink, losses * shrink, self._step
        self._records[prompts] = records

    def state_dict(self) -> dict[str, Any]:
        """Posteriors of buckets and prompts, the clock and the random stream."""
        return super().state_dict() | {
            "wins": self._wins.tolist(),
            "losses": self._losses.tolist(),
            "step": self._step,
            "random": self._random.state_dict(),
            "records": self._records.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved policy stood."""
        super().load_state_dict(state)
        self._wins, self._losses = np.array(state["wins"]), np.array(state["losses"])
        self._step = int(state["step"])
        self._random.load_state_dict(state["random"])
        self._records = np.array(state["records"], dtype=_RECORD)

    def metrics(self) -> dict[str, float]:
        """The posterior mean pass rate of every bucket."""
        rates = self._wins / (self._wins + self._losses)
        return {f"rate/{name}": rate for name, rate in self.pools.index.by_name(rates).items()}


def _logit(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    rates = np.clip(rates, 0.01, 0.99)  # offline rates of 0 and 1 come from a handful of responses
    return np.log(rates) - np.log1p(-rates)


def _offline_means(pools: Pools) -> NDArray[np.float64]:
    index = pools.index
    means = np.full(len(index.names), 0.5)
    if index.pass_rate is not None:
        for bucket, rows in enumerate(index.rows()):
            known = index.pass_rate[rows][~np.isnan(index.pass_rate[rows])]
            if known.size:
                means[bucket] = known.mean(dtype=np.float64)
    return means
