"""Counting what falls into each bucket: what the summary, the report and the manifest say of it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.bucketing.facts import Facts
from curriculum_verl.rollouts.ids import IdsHash

BINS = 40
EXAMPLES = 3


@dataclass(slots=True)
class BucketTally:
    """One bucket's counts and sums."""

    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, dtype=np.int64))
    prompts: int = 0
    lines: int = 0
    metric_min: float = np.inf
    metric_max: float = -np.inf
    scores: float = 0.0
    pass_rates: float = 0.0
    never: int = 0
    always: int = 0
    ids: IdsHash = field(default_factory=IdsHash)
    examples: list[tuple[int, int, int, float]] = field(default_factory=list)  # source, start, size, value

    def mean(self, total: float) -> float:
        """A sum per prompt."""
        return float(total / self.prompts)


class Tally:
    """All buckets; prompts must come in the order in which they are written."""

    def __init__(self, names: tuple[str, ...], low: float, high: float):
        self.buckets = {name: BucketTally() for name in names}
        margin = 0.5 if low == high else 0.0
        self.edges = np.linspace(low - margin, high + margin, BINS + 1)

    def add(self, facts: Facts, numbers: NDArray[np.int16], lines: NDArray[np.int64] | None = None) -> None:
        """Count prompts with their buckets; `lines` where a prompt has more than one."""
        for number, bucket in enumerate(self.buckets.values()):
            inside = numbers == number
            rows = facts[inside]
            if not len(rows):
                continue
            values, passes, counts = rows["value"], rows["passes"], rows["count"]
            bucket.prompts += len(rows)
            bucket.lines += len(rows) if lines is None else int(lines[inside].sum())
            bucket.metric_min = min(bucket.metric_min, float(values.min()))
            bucket.metric_max = max(bucket.metric_max, float(values.max()))
            bucket.scores += float(rows["mean"].sum())
            bucket.pass_rates += float((passes / counts).sum())
            bucket.never += int((passes == 0).sum())
            bucket.always += int((passes == counts).sum())
            bucket.bins += np.histogram(values, self.edges)[0]
            bucket.ids.update(rows["key"])
            for row in rows[: EXAMPLES - len(bucket.examples)]:
                place = int(row["source"]), int(row["start"]), int(row["size"])
                bucket.examples.append((*place, float(row["value"])))
