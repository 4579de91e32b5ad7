"""What a scoring did, to look at: a table for the terminal, and a picture of scores and factors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from curriculum_verl.atomic import replacing
from curriculum_verl.bucketing.orders import ORDERS
from curriculum_verl.bucketing.picture import BESIDE, name_bars, picture
from curriculum_verl.bucketing.plan import Plan
from curriculum_verl.bucketing.summary import (
    BucketSummary,
    Summary,
    aligned,
    fill,
    headline,
    percent,
    rejects_text,
    share,
    total,
    warnings_text,
)
from curriculum_verl.palette import GREY, HATCHES, shades
from curriculum_verl.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Written(msgspec.Struct):
    """What is read again of a line that was scored."""

    difficulty_factors: dict[str, float]
    difficulty_trap: bool


@dataclass(slots=True)
class FactorTally:
    """The factors of one bucket, added up."""

    prompts: int = 0
    traps: int = 0
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, written: "Written") -> None:
        """Add those of one trajectory."""
        self.prompts += 1
        self.traps += written.difficulty_trap
        for name, value in written.difficulty_factors.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """The mean of every factor."""
        return {name: value / self.prompts for name, value in self.sums.items()}


def tally_factors(plan: Plan) -> list[FactorTally]:
    """The factors of every bucket, read from the lines that go into it."""
    tallies = [FactorTally() for _ in plan.cuts.names]
    decode = msgspec.json.Decoder(Written).decode
    for path in plan.orders:
        for source, start, size, bucket, _ in np.fromfile(path, dtype=ORDERS).tolist():
            tallies[bucket].add(decode(plan.sources.line(source, start, size)))
    return tallies


def table(summary: Summary, factors: Sequence[Mapping[str, float]]) -> str:
    """The scoring as text."""
    names = list(factors[0])
    heads = [["", "", "", "score", "", "", *(name.partition("_")[0] for name in names)]]
    heads += [["bucket", "samples", "share", "from", "to", "mean", *(name.partition("_")[2] for name in names)]]
    rows = [
        [
            bucket.name,
            f"{bucket.prompts:,}",
            percent(share(bucket.prompts, summary.prompts)),
            *map(number, (bucket.metric_min, bucket.metric_max, bucket.mean_score)),
            *(f"{mean[name]:.3f}" for name in names),
        ]
        for bucket, mean in _with_total(summary, factors)
    ]
    cuts = ", ".join(number(cut[0]) for cut in summary.cuts) or "nowhere"
    said = f"{headline(summary)}, cut at {cuts}; equal scores stay together. Factors are means."
    parts = (fill(said), aligned(heads, rows), rejects_text(summary), warnings_text(summary))
    return "\n\n".join(part for part in parts if part)


def _with_total(
    summary: Summary, factors: Sequence[Mapping[str, float]]
) -> list[tuple[BucketSummary, Mapping[str, float]]]:
    """All buckets with their factors, and if there are several, all of them as one."""
    rows = list(zip(summary.buckets, factors, strict=True))
    if len(rows) == 1:
        return rows
    sums = {name: sum(bucket.prompts * mean[name] for bucket, mean in rows) for name in factors[0]}
    return [*rows, (total(summary.buckets), {name: value / summary.prompts for name, value in sums.items()})]


def write_report(
    summary: Summary, factors: Sequence[Mapping[str, float]], weights: Mapping[str, float], folder: Path
) -> None:
    """Write report.png: scores as a histogram, and what the factors contribute to the score of every bucket."""
    whole = sum(weights[name] for name in factors[0])
    parts = [{name: weights[name] / whole * mean[name] for name in mean} for mean in factors]
    drawn = picture(summary, shades(len(summary.buckets)), partial(_draw_parts, parts))
    with replacing(folder / "report.png") as file:
        file.write(drawn)


def _draw_parts(
    parts: Sequence[Mapping[str, float]], axes: "Axes", buckets: Sequence[BucketSummary], colours: Sequence[str]
) -> None:
    from matplotlib.patches import Patch

    style: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.6, "height": 0.7}
    for place, (own, colour) in enumerate(zip(parts, colours, strict=True)):
        left = 0.0
        for position, width in enumerate(own.values()):
            axes.barh(place, width, left=left, color=colour, hatch=HATCHES[position % len(HATCHES)], **style)
            left += width
    axes.set(xlim=(0, 1), xlabel="mean of the factors by their weights, and what each adds to it")
    name_bars(axes, buckets)
    patches = [
        Patch(facecolor=GREY, edgecolor="white", hatch=HATCHES[position % len(HATCHES)])
        for position in range(len(parts[0]))
    ]
    axes.legend(patches, list(parts[0]), **BESIDE)
