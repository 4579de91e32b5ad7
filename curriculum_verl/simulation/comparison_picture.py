"""A comparison as a picture: when stages switch, what is learned for how many tokens, and by bucket at the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from curriculum_verl.atomic import replacing
from curriculum_verl.palette import INK, shades, style
from curriculum_verl.simulation.comparing import Compared
from curriculum_verl.simulation.labels import in_picture, short, told_apart
from curriculum_verl.simulation.run import Trace

LONGEST = 28  # characters of a name
POINTS = 200  # of a curve


def draw_comparison(compared: Mapping[str, Compared], path: Path) -> None:
    """The picture as a file."""
    figure = picture_of(compared)
    FigureCanvasAgg(figure)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)


def picture_of(compared: Mapping[str, Compared]) -> Figure:
    """Stages over the steps with a thin row for every seed; mean pass rates with bands from least to greatest."""
    named = dict(zip(_shortened(told_apart(list(compared))), compared.values(), strict=True))
    rows = sum(len(one.traces) for one in compared.values())
    height = min(1.2 + 0.18 * rows + 0.25 * len(compared), 12.0)
    figure = Figure(figsize=(11, height + 4.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=[height, 4.2])
    _timelines(figure.add_subplot(grid[0, :]), named)
    curve, bars = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    _learning(curve, named)
    _buckets(bars, named)
    handles, labels = curve.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(compared)), frameon=False)
    return figure


def _timelines(axes: Axes, named: Mapping[str, Compared]) -> None:
    """For every recipe its seeds one under the other; the stages of the first are named where there is room."""
    top, ticks = 0.0, []
    longest = max(len(trace.stages) for one in named.values() for trace in one.traces.values())
    for recipe, one in named.items():
        ticks.append((top + (len(one.traces) - 1) / 2, recipe))
        for row, trace in enumerate(one.traces.values()):
            _timeline(axes, top + row, trace, one.stages)
        _names(axes, top, next(iter(one.traces.values())), one.stages, room=0.011 * longest)
        top += len(one.traces) + 1.0
    axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
    axes.set(xlabel="step", xlim=(0, longest), ylim=(top - 1.4, -0.6))
    axes.set_title("Stages, a row for each seed; \u25c0 is a rollback", loc="left", fontsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _timeline(axes: Axes, at: float, trace: Trace, stages: Sequence[str]) -> None:
    """A bar for each time in a stage, and a mark for each rollback."""
    colours = shades(len(stages))
    edge: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.3}
    for first, last, stage in _spans(trace, stages):
        axes.barh(at, last - first, left=first, height=0.9, color=colours[stage], **edge)
    backs = [t.step for t in trace.transitions if t.kind == "rollback"]
    axes.plot(backs, [at] * len(backs), "<", color=INK, markersize=5)


def _names(axes: Axes, at: float, trace: Trace, stages: Sequence[str], room: float) -> None:
    """The name of a stage in its bar; `room` is what a letter takes."""
    for first, last, stage in _spans(trace, stages):
        name = _short(stages[stage])
        if last - first > room * len(name):
            ink = "white" if stage + 1 > len(stages) / 2 else INK
            axes.text((first + last) / 2, at, name, ha="center", va="center", color=ink, fontsize=9)


def _spans(trace: Trace, stages: Sequence[str]) -> list[tuple[int, int, int]]:
    """First and last step of every time in a stage, and its number."""
    begins = [(0, 0), *((t.step, stages.index(t.target)) for t in trace.transitions)]
    ends = [*(step for step, _ in begins[1:]), len(trace.stages)]
    return [(first, last, stage) for (first, stage), last in zip(begins, ends, strict=True)]


def _learning(axes: Axes, named: Mapping[str, Compared]) -> None:
    for place, (recipe, one) in enumerate(named.items()):
        look = style(place, len(named))
        spent, rates = _curves(list(one.traces.values()))
        dash = (0, look.dash) if look.dash else "solid"
        axes.plot(spent, rates.mean(axis=0), color=look.colour, linestyle=dash, label=recipe)
        axes.fill_between(spent, rates.min(axis=0), rates.max(axis=0), color=look.colour, alpha=0.2, linewidth=0)
    axes.set(xlabel="tokens generated", ylabel="mean pass rate over buckets", ylim=(0, 1))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_title("What is learned for what is spent; bands: least to greatest", loc="left", fontsize=10)
    axes.grid(alpha=0.3)


def _curves(traces: list[Trace]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean pass rates of all seeds at the same tokens, as far as every seed went."""
    spent = [np.concatenate([[0.0], np.cumsum(trace.tokens.sum(axis=1))]) for trace in traces]
    at = np.linspace(0.0, min(float(one[-1]) for one in spent), POINTS)
    return at, np.array(
        [np.interp(at, one, trace.pass_rates.mean(axis=1)) for one, trace in zip(spent, traces, strict=True)]
    )


def _buckets(axes: Axes, named: Mapping[str, Compared]) -> None:
    buckets = next(iter(next(iter(named.values())).traces.values())).buckets
    width = 0.8 / len(named)
    for place, one in enumerate(named.values()):
        look = style(place, len(named))
        ends = np.array([trace.pass_rates[-1] for trace in one.traces.values()])
        mean = ends.mean(axis=0)
        reach = np.maximum(0.0, [mean - ends.min(axis=0), ends.max(axis=0) - mean])
        at = np.arange(len(buckets)) + (place + 0.5) * width - 0.4
        axes.bar(at, mean, width, color=look.colour, hatch=look.hatch, edgecolor="white", linewidth=0)
        axes.errorbar(at, mean, reach, fmt="none", color=INK, capsize=2, linewidth=1)
    axes.set_xticks(np.arange(len(buckets)), [_short(bucket) for bucket in buckets])
    axes.set(ylim=(0, 1))
    axes.set_title("Pass rate by bucket at the end", loc="left", fontsize=10)
    axes.grid(alpha=0.3, axis="y")


def _shortened(names: Sequence[str]) -> list[str]:
    """Every name short, and none like another."""
    shown = [_short(name) for name in names]
    return [name if shown.count(name) == 1 else f"{n + 1}: {name}" for n, name in enumerate(shown)]


def _short(name: str) -> str:
    return in_picture(short(name, LONGEST))
