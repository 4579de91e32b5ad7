"""An evaluation as a picture: what every model solves of every bucket, and what was learned or forgotten."""

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from curriculum_verl.bucketing.summary import elide
from curriculum_verl.evaluation.figures import OVERALL, Change, Figures
from curriculum_verl.evaluation.statistics import Estimate
from curriculum_verl.palette import INK, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL = 28  # columns of a name


def draw(names: Sequence[str], figures: Sequence[Figures], changes: Sequence[Change]) -> bytes:
    """A PNG file: above, success by bucket and model; below, the change since the first model."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    buckets = list(dict.fromkeys(one.bucket for one in figures))
    width = min(40.0, max(7.5, 1.4 + 0.32 * len(buckets) * (len(names) + 1.5)))
    compared = len(names) > 1
    figure = Figure(figsize=(width, 7.4 if compared else 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2 if compared else 1, sharex=True, squeeze=False, height_ratios=(4, 3)[: 1 + compared])
    upper = panels[0][0]
    _draw_success(upper, names, buckets, {(one.model, one.bucket): one.success for one in figures})
    upper.set_title(_title(figures), fontweight="bold", color=INK)
    if compared:
        since = {(one.after, one.bucket): one.success for one in changes if one.before == names[0]}
        _draw_changes(panels[1][0], names, buckets, since)
    prompts = {one.bucket: one.prompts for one in figures}
    labels = [f"{_label('all' if b == OVERALL else b)}\n{prompts[b]:,} prompts" for b in buckets]
    panels[-1][0].set_xticks(range(len(buckets)), labels)
    panels[-1][0].set_xlabel("bucket, easiest first")
    handles, _ = upper.get_legend_handles_labels()
    legend = figure.legend(
        handles, [str(n) for n in range(len(names))], loc="outside lower center", ncols=min(4, len(names))
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(_label(name))  # given to legend() itself, a name that begins with "_" would be left out
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a name in a script that the font does not have
        figure.savefig(file, format="png", dpi=144)
    return file.getvalue()


def _draw_success(
    axes: "Axes", names: Sequence[str], buckets: Sequence[str], found: Mapping[tuple[str, str], Estimate]
) -> None:
    from matplotlib.ticker import PercentFormatter

    for number, name in enumerate(names):
        places, estimates = _places(number, names, name, buckets, found)
        drawn = style(number, len(names))
        bar: dict[str, Any] = {"color": drawn.colour, "hatch": drawn.hatch, "edgecolor": "white", "linewidth": 0.6}
        heights = [estimate.value for estimate in estimates]
        axes.bar(places, heights, 0.8 / len(names), label=str(number), **bar)
        axes.errorbar(places, heights, yerr=_whiskers(estimates), fmt="none", ecolor="black", elinewidth=1, capsize=2)
    axes.set(ylabel="responses that pass", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    _tidy(axes, buckets)


def _draw_changes(
    axes: "Axes", names: Sequence[str], buckets: Sequence[str], found: Mapping[tuple[str, str], Estimate]
) -> None:
    """A filled mark where the interval says that something changed, a hollow one where it may be chance."""
    for number, name in enumerate(names[1:], start=1):
        places, estimates = _places(number, names, name, buckets, found)
        drawn = style(number, len(names))
        for place, estimate in zip(places, estimates, strict=True):
            face = drawn.colour if estimate.sign else "white"
            mark: dict[str, Any] = {"color": drawn.colour, "markerfacecolor": face, "markersize": 6, "capsize": 3}
            whiskers = [[100 * length for length in side] for side in _whiskers([estimate])]
            axes.errorbar([place], [100 * estimate.value], yerr=whiskers, fmt=drawn.mark, **mark)
    low, high = axes.get_ylim()
    reach = max(5.0, abs(low), abs(high))
    axes.set_ylim(-reach, reach)
    axes.axhline(0, color=INK, linewidth=1)
    axes.set_ylabel(f"change since {_label(names[0])}\n(points; filled: more than chance)")
    for text, height, side in (("learned ↑", 0.97, "top"), ("forgotten ↓", 0.03, "bottom")):
        axes.text(0.005, height, text, transform=axes.transAxes, va=side, color=INK, fontweight="bold")
    _tidy(axes, buckets)


def _places(
    number: int, names: Sequence[str], name: str, buckets: Sequence[str], found: Mapping[tuple[str, str], Estimate]
) -> tuple[list[float], list[Estimate]]:
    """Where a model stands within the group of every bucket that it has figures of."""
    offset = (number + 0.5) * 0.8 / len(names) - 0.4
    there = [(place + offset, found[name, bucket]) for place, bucket in enumerate(buckets) if (name, bucket) in found]
    return [place for place, _ in there], [estimate for _, estimate in there]


def _whiskers(estimates: Sequence[Estimate]) -> list[list[float]]:
    below = [0.0 if one.low is None else max(0.0, one.value - one.low) for one in estimates]
    above = [0.0 if one.high is None else max(0.0, one.high - one.value) for one in estimates]
    return [below, above]


def _tidy(axes: "Axes", buckets: Sequence[str]) -> None:
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if buckets[-1] == OVERALL:  # no bucket of its own
        axes.axvline(len(buckets) - 1.5, color=INK, linestyle=":", linewidth=1)
    axes.set_xlim(-0.6, len(buckets) - 0.4)


def _title(figures: Sequence[Figures]) -> str:
    spread = max(one.responses / one.prompts for one in figures)
    return f"Success by bucket, with 95 % intervals ({spread:g} responses a prompt)"


def _label(text: str) -> str:
    """Text for the picture; a dollar sign would begin a formula."""
    return elide(text, LABEL).replace("$", r"\$")
