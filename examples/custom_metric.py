"""A difficulty metric of your own, named as `examples.custom_metric:spread`.

Run: python -m examples.custom_metric
"""

from collections.abc import Sequence

from curriculum_verl.difficulty import Settings, find_metric


def spread(scores: Sequence[float], settings: Settings) -> float:
    """Best minus worst score: where it is small, the model does the same thing every time."""
    return max(scores) - min(scores)


spread.direction = "low_is_easy"  # type: ignore[attr-defined]

if __name__ == "__main__":
    metric = find_metric("examples.custom_metric:spread")
    print(metric.name, metric.direction, metric([0.2, 0.9, 0.4]))
