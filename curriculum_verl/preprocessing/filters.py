"""Filters: which prompts are worth training on, by their best score."""

from collections.abc import Callable
from typing import Literal

Filter = Literal["all", "best_only", "passing_only"]

# Name -> whether a prompt stays, by its best score and the pass threshold.
FILTERS: dict[Filter, Callable[[float, float], bool]] = {
    "all": lambda best, threshold: True,
    "best_only": lambda best, threshold: best > 0,
    "passing_only": lambda best, threshold: best >= threshold,
}


def describe(name: Filter, threshold: float) -> str:
    """What a filter asks of a prompt."""
    return {
        "all": "no response is needed",
        "best_only": "at least one response with a score above 0 is needed",
        "passing_only": f"at least one response with a score of {threshold:g} or more is needed",
    }[name]
