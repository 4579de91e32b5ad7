"""How an answer is scored: 1 if it is right to the last digit, else 0. verl loads this file by its path."""

from typing import Any


def compute_score(data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None, **_: Any) -> float:
    """The signature is verl's; see reward.custom_reward_function."""
    return float(solution_str.strip() == ground_truth)
