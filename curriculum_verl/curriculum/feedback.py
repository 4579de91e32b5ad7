"""What came back for a batch: the scores of each prompt's responses, summed up once for policies and trackers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.errors import InputError

Scores = NDArray[np.floating] | Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, eq=False)
class GroupScores:
    """One entry per prompt group; scores that are not finite are left out of everything and counted in `invalid`."""

    responses: NDArray[np.int64]
    passes: NDArray[np.int64]
    mean: NDArray[np.float64]
    advantage: NDArray[np.float64]  # mean |score - mean| / std: what GRPO's normalised advantage makes of the group
    informative: NDArray[np.bool_]  # the scores differ, so the group carries a learning signal
    invalid: int

    @property
    def comparable(self) -> NDArray[np.bool_]:
        """Whether the group has two scores at least; fewer say nothing about variance."""
        return self.responses >= 2

    @property
    def effective_trials(self) -> int:
        """How many independent trials the pass rate over all groups is worth.

        Responses to one prompt are alike, so they count for less than their number: p(1 - p) / (variance of the groups'
        rates / groups), which is at most the number of responses, and the number of groups where all are equal.
        """
        groups, rates = len(self), self.pass_rate
        if groups < 2 or np.ptp(rates) <= 1e-9:  # rounding leaves equal rates such as 0.7 a variance of about 1e-34
            return groups
        p = float(rates.mean())
        return max(1, min(int(self.responses.sum()), int(p * (1 - p) * groups / float(rates.var(ddof=1)))))

    @property
    def pass_rate(self) -> NDArray[np.float64]:
        """The share of each group's responses that pass."""
        return np.asarray(self.passes / self.responses)

    def __len__(self) -> int:
        return len(self.responses)

    def select(self, keep: NDArray[np.bool_]) -> "GroupScores":
        """The groups where `keep` is true."""
        return GroupScores(
            self.responses[keep],
            self.passes[keep],
            self.mean[keep],
            self.advantage[keep],
            self.informative[keep],
            self.invalid,
        )


def summarise(scores: Scores, pass_threshold: float, passed: Scores | None = None) -> GroupScores:
    """Sum up a batch: a (groups, responses) array, or one sequence of scores per group.

    A response passes when its score is at least the threshold, or as `passed` says of each.
    """
    flat, group, count = _flatten(scores)
    passing = flat >= pass_threshold
    if passed is not None:
        said, said_group, _ = _flatten(passed)
        if not np.array_equal(said_group, group):
            raise InputError(f"passed: got {len(said)} values for {len(flat)} scores, expected one for every score")
        passing = said > 0
    valid = np.isfinite(flat)
    invalid = int(len(flat) - valid.sum())
    if invalid:
        flat, group, passing = flat[valid], group[valid], passing[valid]

    def total(values: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.bincount(group, weights=values, minlength=count).astype(np.float64, copy=False)

    responses = np.bincount(group, minlength=count)
    at_least_one = np.maximum(responses, 1)
    mean = total(flat) / at_least_one
    deviation = flat - mean[group]
    std = np.sqrt(total(deviation * deviation) / at_least_one)
    # Rounding leaves equal scores such as 0.1 a deviation of about 1e-17: relative to the scores that is no signal.
    informative = std > 1e-9 * np.maximum(1.0, np.abs(mean))
    advantage = np.divide(total(np.abs(deviation)) / at_least_one, std, out=np.zeros(count), where=informative)
    passes = total(passing.astype(np.float64)).astype(np.int64)
    return GroupScores(responses, passes, mean, advantage, informative, invalid)


def _flatten(scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    if isinstance(scores, np.ndarray):
        if scores.ndim != 2:
            raise InputError(f"scores: got an array of {scores.ndim} dimensions, expected (groups, responses)")
        groups, responses = scores.shape
        return scores.astype(np.float64).ravel(), np.repeat(np.arange(groups), responses), groups
    try:
        lengths = [len(group) for group in scores]
        flat = np.fromiter((score for group in scores for score in group), dtype=np.float64, count=sum(lengths))
    except (TypeError, ValueError) as error:
        raise InputError(f"scores: got a batch where {error}, expected a sequence of numbers a prompt") from error
    return flat, np.repeat(np.arange(len(lengths)), lengths), len(lengths)
