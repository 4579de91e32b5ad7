"""Difficulty metrics: how hard a prompt is, judged from the scores of its responses."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from curriculum_verl.dotted import load_dotted
from curriculum_verl.errors import InputError, unknown_name

Direction = Literal["high_is_easy", "low_is_easy"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a metric may need besides the scores."""

    pass_threshold: float = 0.5
    k: int = 1


Function = Callable[[Sequence[float], Settings], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A named metric; `direction` says which end of its axis is the easy one."""

    name: str
    function: Function
    direction: Direction

    def __call__(self, scores: Sequence[float], settings: Settings | None = None) -> float:
        """The metric of one prompt's scores; they must be at least one, and finite."""
        if not len(scores):
            raise InputError(f"{self.name}: got no scores, expected at least one response")
        if not all(map(math.isfinite, scores)):
            raise InputError(f"{self.name}: got scores {list(scores)[:8]}, expected finite numbers")
        return float(self.function(scores, settings or Settings()))

    def hardness(self, value: float) -> float:
        """The value turned so that a larger number is always harder."""
        return -value if self.direction == "high_is_easy" else value


def passes(scores: Sequence[float], settings: Settings) -> int:
    """How many responses pass: score >= threshold."""
    return sum(score >= settings.pass_threshold for score in scores)


def mean_reward(scores: Sequence[float], settings: Settings) -> float:
    """Mean score."""
    return math.fsum(scores) / len(scores)


def max_reward(scores: Sequence[float], settings: Settings) -> float:
    """Best score."""
    return max(scores)


def min_reward(scores: Sequence[float], settings: Settings) -> float:
    """Worst score."""
    return min(scores)


def variance(scores: Sequence[float], settings: Settings) -> float:
    """Population variance; never-solved and always-solved prompts both have 0."""
    mean = mean_reward(scores, settings)
    return math.fsum((score - mean) ** 2 for score in scores) / len(scores)


def success_rate(scores: Sequence[float], settings: Settings) -> float:
    """Share of responses that pass."""
    return passes(scores, settings) / len(scores)


def inverse_mean(scores: Sequence[float], settings: Settings) -> float:
    """Mean score turned round: 1 - mean, so that a larger value is harder."""
    return 1.0 - mean_reward(scores, settings)


def pass_at_k(scores: Sequence[float], settings: Settings) -> float:
    """Unbiased chance that one of k responses passes: 1 - C(n-c, k) / C(n, k) (Chen et al. 2021)."""
    n, c, k = len(scores), passes(scores, settings), settings.k
    if not 1 <= k <= n:
        raise InputError(f"pass_at_k: got k={k} with {n} responses, expected 1 <= k <= {n}; sample more or lower k")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def learnability(scores: Sequence[float], settings: Settings) -> float:
    """p(1 - p) of the pass rate p: largest where responses disagree, so what is learnable now counts as easy."""
    p = success_rate(scores, settings)
    return p * (1.0 - p)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("mean_reward", mean_reward, "high_is_easy"),
        Metric("max_reward", max_reward, "high_is_easy"),
        Metric("min_reward", min_reward, "high_is_easy"),
        Metric("variance", variance, "low_is_easy"),
        Metric("success_rate", success_rate, "high_is_easy"),
        Metric("inverse_mean", inverse_mean, "low_is_easy"),
        Metric("pass_at_k", pass_at_k, "high_is_easy"),
        Metric("learnability", learnability, "high_is_easy"),
    )
}


def find_metric(name: str) -> Metric:
    """A metric by its name, or a user's own as `package.module:function`.

    A user's function takes (scores, settings) and carries an attribute `direction`, "high_is_easy" or "low_is_easy".
    """
    if name in METRICS:
        return METRICS[name]
    if ":" not in name:
        raise InputError(
            unknown_name("difficulty metric", name, METRICS) + "; your own is written package.module:function"
        )
    function = load_dotted(name)
    direction: Direction | None = getattr(function, "direction", None)
    if direction is None or direction not in get_args(Direction):
        raise InputError(
            f"difficulty metric {name}: got direction {direction!r}, expected one of {', '.join(get_args(Direction))}; "
            f"set it on the function: {name.split(':')[1]}.direction = 'high_is_easy'"
        )
    return Metric(name, function, direction)
