"""An advance on pending: what it is judged against, and for how long its mastered buckets are watched."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class PendingAdvance:
    """`before` is the score remembered from before; `mastered` holds those of the buckets of the stage left."""

    step: int
    source: int
    before: float | None
    mastered: dict[str, float]
    judged: bool = False
    missing: list[str] = field(default_factory=list)
    watched: int = 0
    watched_step: int = 0

    def watch(self, step: int, scores: Mapping[str, float], threshold: float) -> list[tuple[str, float, float]]:
        """Count a validation; (bucket, before, after) of every mastered bucket that fell beyond the threshold."""
        self.watched, self.watched_step = self.watched + 1, step
        both = [(bucket, before, scores.get(bucket, before)) for bucket, before in self.mastered.items()]
        return [(bucket, before, after) for bucket, before, after in both if after - before < threshold]


def fall_in_words(before: float, after: float, threshold: float) -> str:
    """A drop beyond a threshold, as transitions and warnings tell it."""
    return f"{before:.4g} -> {after:.4g}: {after - before:+.4g} is below {threshold:g}"
