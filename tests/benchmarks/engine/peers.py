"""Plain re-statements of the rules by which other curricula pick prompts; each looks at every prompt."""

import math
import random
from collections.abc import Iterable, Mapping, MutableMapping

import numpy as np
from numpy.typing import NDArray

POOLS = ((0.25, 0.2), (0.75, 1.0), (1.0, 0.2))  # prime-rl's pools: the highest score that belongs, the weight
UNSEEN = 1.0
STEP, STEEPNESS = 0.05, 2.0  # of AdaRFT's target, on difficulties from 0 to 1


def nearest_by_argsort(difficulty: NDArray[np.float64], target: float, n: int) -> NDArray[np.int64]:
    """AdaRFT: sort all prompts by their distance to the target for every batch, take the first n."""
    return np.argsort(np.abs(difficulty - target))[:n]


def moved_target(target: float, scores: NDArray[np.float64]) -> float:
    """AdaRFT: after a batch the target moves by how far the mean score lies from one half."""
    return min(1.0, max(0.0, target + STEP * math.tanh(STEEPNESS * (float(scores.mean()) - 0.5))))


def keep_scores(latest: MutableMapping[int, float], prompts: Iterable[int], scores: NDArray[np.float64]) -> None:
    """prime-rl: after a batch the mean score of every prompt is kept."""
    latest.update(zip(prompts, scores.mean(axis=1).tolist(), strict=True))


def pool_weight(score: float | None) -> float:
    """The weight of a prompt by its latest mean score."""
    if score is None:
        return UNSEEN
    return next((weight for highest, weight in POOLS if score <= highest), POOLS[-1][1])


def pool_choice(prompts: int, latest: Mapping[int, float], rng: random.Random) -> int:
    """prime-rl's difficulty pools: for every single prompt a list of all weights, then a weighted choice."""
    return weighted_choice([pool_weight(latest.get(prompt)) for prompt in range(prompts)], rng)


def weighted_choice(weights: list[float], rng: random.Random) -> int:
    """One prompt by a weighted choice over all, as if the list of weights came for nothing."""
    return rng.choices(range(len(weights)), weights=weights, k=1)[0]


def weighted_choice_numpy(chances: NDArray[np.float64], rng: np.random.Generator) -> int:
    """The same by NumPy, as if the array of chances, which sum to 1, came for nothing."""
    return int(rng.choice(len(chances), p=chances))
