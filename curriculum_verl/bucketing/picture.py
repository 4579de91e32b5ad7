"""The picture of a bucketing: prompts along the metric, and what was solved of every bucket."""

import io
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from curriculum_verl.bucketing.summary import (
    BucketSummary,
    Histogram,
    Summary,
    describe_cut,
    elide,
    headline,
    sentence,
)
from curriculum_verl.palette import GREY, INK, PALE
from curriculum_verl.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NAMES = 12  # more would not fit beside the histogram; the panel below it names every bucket
LABEL = 24  # columns of a name in the picture
DIAMOND: dict[str, Any] = {
    "marker": "D",
    "linestyle": "",
    "color": "white",
    "markeredgecolor": "black",
    "clip_on": False,
}
Lower = Callable[["Axes", Sequence[BucketSummary], Sequence[str]], None]
BESIDE: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "frameon": False}


def picture(summary: Summary, colours: Sequence[str], lower: "Lower | None" = None) -> bytes:
    """A PNG file: prompts along the metric, and below it what was solved of every bucket, or what `lower` draws."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    height = min(max(1.9, 0.3 * len(summary.buckets) + 0.9), 40)
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    figure = Figure(figsize=(10, 4.2 + height) if summary.buckets else (10, 1.5), layout=layout)
    FigureCanvasAgg(figure)
    if summary.buckets:
        upper, below = figure.subplots(2, height_ratios=(4.2, height))
        _draw_histogram(upper, summary, colours)
        (lower or _draw_solved)(below, summary.buckets, colours)
    else:
        figure.text(0.5, 0.5, _label(sentence(summary), 90), ha="center", va="center", fontsize=12, color=INK)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a name in a script that the font does not have
        figure.savefig(file, format="png", dpi=144)
    return file.getvalue()


def _draw_histogram(axes: "Axes", summary: Summary, colours: Sequence[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    left, widths = _bins(summary.histogram)
    bottom = [0] * len(left)
    for bucket, colour in zip(summary.buckets, colours, strict=True):
        counts = summary.histogram.counts.get(bucket.name, (0,) * len(left))
        axes.bar(left, counts, widths, bottom, align="edge", color=colour, edgecolor="white", linewidth=0.6)
        bottom = [low + count for low, count in zip(bottom, counts, strict=True)]
    if len(left) == 1:
        axes.set_xlim(left[0] - 2 * widths[0], left[0] + 3 * widths[0])
    axes.set_title(_label(headline(summary), 80), pad=22, fontweight="bold", color=INK)
    axes.set_xlabel(_label(summary.metric, 60))
    ends = ("← harder", "easier →") if summary.direction == "high_is_easy" else ("← easier", "harder →")
    for place, end in enumerate(ends):
        align = ("left", "right")[place]
        axes.annotate(
            end, (place, 0), (0, -22), "axes fraction", "offset points", ha=align, va="top", fontweight="bold"
        )
    axes.set_ylabel("prompts")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    _draw_cuts(axes, summary.cuts)
    _name_colours(axes, summary.buckets, colours)


def _bins(histogram: Histogram) -> tuple[list[float], list[float]]:
    """Left edges and widths; a lone bin without width, of prompts that all have one value, is given some."""
    edges = histogram.edges
    widths = [right - left for left, right in pairwise(edges)]
    if len(widths) == 1 and not widths[0]:
        half = 0.05 * max(1.0, abs(edges[0]))
        return [edges[0] - half], [2 * half]
    return list(edges[:-1]), widths


def _draw_cuts(axes: "Axes", cuts: Sequence[Sequence[float]]) -> None:
    """A line at every value that is cut at, labelled above the axes where the labels leave each other room."""
    low, high = axes.get_xlim()
    labelled = low - (high - low)
    for value in sorted({cut[0] for cut in cuts}):
        here = [cut for cut in cuts if cut[0] == value]
        axes.axvline(value, color=INK, linestyle="--" if len(here[0]) == 1 else ":", linewidth=1.2)
        label = describe_cut(here[0]) if len(here) == 1 else f"{number(value)} ({len(here)} cuts)"
        if value - labelled > 0.012 * len(label) * (high - low):
            above = axes.get_xaxis_transform()
            axes.annotate(label, (value, 1), (0, 4), above, "offset points", ha="center", fontsize=9, color=INK)
            labelled = value


def _name_colours(axes: "Axes", buckets: Sequence[BucketSummary], colours: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    if len(buckets) > MOST_NAMES:
        return
    patches = [Patch(color=colour) for colour in colours]
    legend = axes.legend(patches, map(str, range(len(buckets))), title="bucket", alignment="left", **BESIDE)
    for text, bucket in zip(legend.get_texts(), buckets, strict=True):
        text.set_text(_label(bucket.name))  # given to legend() itself, a name that begins with "_" would be left out


def _draw_solved(axes: "Axes", buckets: Sequence[BucketSummary], colours: Sequence[str]) -> None:
    """One bar a bucket, easiest on top: prompts solved always, sometimes and never; a diamond at the pass rate."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import PercentFormatter

    for place, (bucket, colour) in enumerate(zip(buckets, colours, strict=True)):
        if not bucket.prompts:
            continue
        always, sometimes = bucket.always_solved, 1 - bucket.always_solved - bucket.never_solved
        axes.barh(place, always, color=colour, height=0.7)
        axes.barh(place, sometimes, left=always, color=colour, alpha=0.45, height=0.7)
        axes.barh(place, bucket.never_solved, left=always + sometimes, color=PALE, height=0.7)
        axes.plot(bucket.pass_rate, place, **DIAMOND)
    axes.set(xlim=(0, 1), xlabel="share of the bucket's prompts")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    name_bars(axes, buckets)
    shades = [Patch(color=GREY), Patch(color=GREY, alpha=0.45, linewidth=0), Patch(color=PALE)]
    labels = ["always solved", "sometimes solved", "never solved", "pass rate"]
    axes.legend([*shades, Line2D([], [], **DIAMOND)], labels, **BESIDE)


def name_bars(axes: "Axes", buckets: Sequence[BucketSummary]) -> None:
    """Name the bars of the lower panel, easiest on top."""
    axes.set_ylim(len(buckets) - 0.5, -0.5)
    axes.set_yticks(range(len(buckets)), [_label(bucket.name) for bucket in buckets])
    axes.tick_params(axis="y", length=0, pad=9)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _label(text: str, limit: int = LABEL) -> str:
    """Text for the picture; a dollar sign would begin a formula."""
    return elide(text, limit).replace("$", r"\$")
