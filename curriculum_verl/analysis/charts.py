"""Pictures of figures: distributions, success by bucket, stages, and what changed between runs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from curriculum_verl.analysis.comparing import Change
from curriculum_verl.analysis.drawing import label, name_legend, new_figure, png, tidy
from curriculum_verl.analysis.figures import ALL, Figures
from curriculum_verl.analysis.measures import BY_NAME, Measure
from curriculum_verl.analysis.sketches import LOG, Sketch
from curriculum_verl.evaluation.statistics import Estimate
from curriculum_verl.palette import GREY, INK, Style, style
from curriculum_verl.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COARSE = 4  # fine bins that are drawn as one
AXES = {
    "tokens": "tokens",
    "characters": "characters",
    "steps": "steps",
    "calls": "tool calls",
    "coherence": "coherence",
}
MOST_TICKS = 12


def draw_distributions(found: Mapping[str, Mapping[str, Sketch]], measures: Sequence[str]) -> bytes:
    """Of every run (or stage) and every measure how responses spread; a mark stands at the median."""
    figure = new_figure(10, 3.1 * -(-len(measures) // 2) + 0.5)
    panels = list(figure.subplots(-(-len(measures) // 2), 2, squeeze=False).flat)
    lines: list[Any] = []
    for axes, name in zip(panels, measures, strict=False):
        lines = [
            _draw_spread(axes, sketches[name], style(number, len(found)))
            for number, sketches in enumerate(found.values())
        ]
        axes.set_xlabel(f"{AXES.get(name, name)} of a response{', from -1 to 1' if name == 'coherence' else ''}")
        _scale(axes, [sketches[name] for sketches in found.values()])
    for axes in panels[len(measures) :]:
        axes.set_visible(False)
    figure.suptitle("How responses spread; a mark stands at the median", fontweight="bold", color=INK)
    name_legend(figure, lines, list(found))
    return png(figure)


def coarse(sketch: Sketch) -> tuple[list[float], list[float]]:
    """Edges and shares of wider bins, as far as there is anything; each whole number below eight has its own."""
    edges = np.array(sketch.bins.edges)
    if sketch.bins is LOG:
        wide = [0.0, *(float(n) for n in range(1, 8)), *(8.0 * 2 ** (step / COARSE) for step in range(37 * COARSE))]
    else:
        wide = edges[::2].tolist()
    places = np.clip(np.searchsorted(wide, (edges[:-1] + edges[1:]) / 2, side="right") - 1, 0, len(wide) - 2)
    counts = np.bincount(places, weights=sketch.counts, minlength=len(wide) - 1)
    there = np.flatnonzero(counts)
    if not len(there):
        return [0.0, 1.0], [0.0]
    first, last = int(there[0]), int(there[-1]) + 1
    return wide[first : last + 1], (counts[first:last] / counts.sum()).tolist()


def _draw_spread(axes: "Axes", sketch: Sketch, drawn: Style) -> Any:
    from matplotlib.lines import Line2D

    edges, shares = coarse(sketch)
    if sketch.bins is LOG:  # a whole number stands in the middle of its bin
        edges = [edge - 0.5 for edge in edges]
    dash: Any = (0, drawn.dash) if drawn.dash else "-"
    axes.stairs(shares, edges, fill=True, color=drawn.colour, alpha=0.12)
    axes.stairs(shares, edges, color=drawn.colour, linewidth=1.8, linestyle=dash)
    middle = sketch.quantile(0.5)
    if not np.isnan(middle):
        above = max(0, int(np.searchsorted(edges, middle, side="right")) - 1)
        height = shares[min(above, len(shares) - 1)]
        axes.plot([middle], [height], drawn.mark, color=drawn.colour, markeredgecolor="white", markersize=9, zorder=5)
    return Line2D([], [], color=drawn.colour, linestyle=dash, marker=drawn.mark, markeredgecolor="white", markersize=8)


def _scale(axes: "Axes", sketches: Sequence[Sketch]) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator, PercentFormatter

    axes.set_ylabel("share of responses")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(bottom=0)
    if sketches[0].bins is LOG:
        axes.set_xscale("symlog", linthresh=8, linscale=1.5)
        most = max((one.most for one in sketches if one.count), default=1.0)
        least = min((one.least for one in sketches if one.count), default=0.0)
        few = range(9) if most <= 12 else range(0, 9, 2)
        ticks = [t for t in (*few, *(8 * 2**n for n in range(1, 38))) if least / 1.5 <= t <= most * 1.5]
        axes.set_xticks(ticks[:: 1 + len(ticks) // MOST_TICKS])
        axes.set_xticks([], minor=True)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    else:
        axes.set_xlim(-1.03, 1.03)
        axes.xaxis.set_major_locator(MultipleLocator(0.5))
    tidy(axes)


def draw_bars(
    title: str, axis: str, names: Sequence[str], groups: Sequence[str], found: Mapping[tuple[str, str], Figures]
) -> bytes:
    """Success of every group (a bucket, or a stage) by run, with intervals."""
    from matplotlib.ticker import PercentFormatter

    groups = [group for group in groups if any((name, group) in found for name in names)]
    width = min(40.0, max(7.5, 1.4 + 0.34 * len(groups) * (len(names) + 1.5)))
    figure = new_figure(width, 4.4)
    axes = figure.subplots()
    bars = []
    for number, name in enumerate(names):
        drawn = style(number, len(names))
        own = [(at, found[name, group]) for at, group in enumerate(groups) if (name, group) in found]
        there = [(at, one.measures["success"]) for at, one in own]
        places = [at + (number + 0.5) * 0.8 / len(names) - 0.4 for at, _ in there]
        looks: dict[str, Any] = {"color": drawn.colour, "hatch": drawn.hatch, "edgecolor": "white", "linewidth": 0.6}
        heights = [one.value for _, one in there]
        bars.append(axes.bar(places, heights, 0.8 / len(names), **looks))
        whiskers = _whiskers([one for _, one in there])
        axes.errorbar(places, heights, yerr=whiskers, fmt="none", ecolor="black", elinewidth=1, capsize=3)
    prompts = {group: [found[name, group].prompts for name in names if (name, group) in found] for group in groups}
    ticks = [f"{label('all' if group == ALL else group)}\n{_prompts(prompts[group])}" for group in groups]
    axes.set_xticks(range(len(groups)), ticks)
    axes.set(ylim=(0, 1.02), xlim=(-0.6, len(groups) - 0.4), xlabel=axis, ylabel="responses that pass")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_title(title, fontweight="bold", color=INK)
    if ALL in groups and len(groups) > 1:
        axes.axvline(groups.index(ALL) + (0.5 if groups[0] == ALL else -0.5), color=INK, linestyle=":", linewidth=1)
    tidy(axes)
    name_legend(figure, bars, list(names))
    return png(figure)


def _prompts(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return counted(high, "prompt") if low == high else f"{low:,} to {counted(high, 'prompt')}"


def _whiskers(estimates: Sequence[Estimate]) -> list[list[float]]:
    below = [0.0 if one.low is None else max(0.0, one.value - one.low) for one in estimates]
    above = [0.0 if one.high is None else max(0.0, one.high - one.value) for one in estimates]
    return [below, above]


def draw_changes(title: str, changes: Sequence[Change]) -> bytes:
    """Every measure in a panel of its own, every pair in a row; filled where the change is clear, hollow where not."""
    measures = [BY_NAME[name] for name in dict.fromkeys(one.measure for one in changes)]
    pairs = list(dict.fromkeys((one.before, one.after) for one in changes))
    columns = min(4, len(measures))
    rows = -(-len(measures) // columns)
    figure = new_figure(2.9 * columns + 1.2, rows * (0.95 + 0.32 * len(pairs)) + 0.9)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    found = {(one.measure, one.before, one.after): one for one in changes}
    for axes, measure in zip(panels.flat, measures, strict=False):
        _draw_measure(axes, measure, [found.get((measure.name, *pair)) for pair in pairs])
    for axes in list(panels.flat)[len(measures) :]:
        axes.set_visible(False)
    names = [f"{label(before, 16)} → {label(after, 16)}" for before, after in pairs]
    panels[0][0].set_yticks(range(len(pairs)), names)
    panels[0][0].set_ylim(len(pairs) - 0.5, -0.5)
    figure.suptitle(f"{label(title, 60)}, with 95 % intervals (filled: clear)", fontweight="bold", color=INK)
    return png(figure)


def _draw_measure(axes: "Axes", measure: Measure, changes: Sequence[Change | None]) -> None:
    from matplotlib.ticker import MaxNLocator

    factor = 100.0 if measure.unit == "share" else 1.0
    for row, one in enumerate(changes):
        if one is None:
            continue
        drawn = style(row, len(changes))
        whiskers = [[factor * length for length in side] for side in _whiskers([one.change])]
        looks: dict[str, Any] = {"color": drawn.colour, "markersize": 7, "capsize": 3}
        looks["markerfacecolor"] = drawn.colour if one.change.sign else "white"
        axes.errorbar([factor * one.change.value], [row], xerr=whiskers, fmt=drawn.mark, **looks)
    low, high = axes.get_xlim()
    reach = 1.08 * max(abs(low), abs(high), 1e-3)
    axes.set_xlim(-reach, reach)
    axes.axvline(0, color=GREY, linewidth=1)
    unit = " (points)" if measure.unit == "share" else ""
    axes.set_title(f"{measure.short}{unit}", fontsize=10, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))
    tidy(axes, "x")
