"""What all pictures share: lines with their moving average, looks that do without colour, words for numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curriculum_verl.monitor.runs import Run
from curriculum_verl.monitor.series import aligned, all_steps, moving_average, thinned
from curriculum_verl.monitor.view import View
from curriculum_verl.palette import GREY
from curriculum_verl.runs.columns import Floats, Steps
from curriculum_verl.runs.lines import ADVANCE
from curriculum_verl.web.charts import Chart, label
from curriculum_verl.web.looks import Look, look
from curriculum_verl.words import number

FEW = 40  # points that are marked
MOST_MARKED = 60  # transitions that are drawn into every picture
SHARE = {"tickformat": ".0%", "rangemode": "tozero"}


def run_look(run: Run) -> Look:
    """The look of a run among those that are watched: it keeps it, whichever of them are shown."""
    return look(run.place, run.among)


@dataclass(frozen=True, slots=True)
class Thing:
    """A metric that is drawn: what it is called, and its look."""

    name: str
    metric: str
    look: Look


def things(named: Iterable[tuple[str, str]]) -> list[Thing]:
    """Metrics under their names, in the looks of a few."""
    pairs = list(named)
    return [Thing(name, metric, look(place, len(pairs))) for place, (name, metric) in enumerate(pairs)]


def told(view: View, named: Iterable[tuple[str, str]]) -> list[Thing]:
    """Those of the metrics that some run tells, under their names."""
    return things(pair for pair in named if any(pair[1] in run.history.metrics.names for run in view.runs))


def metric_chart(
    view: View, title: str, drawn: Sequence[Thing], missing: str, *, share: bool = False, **axis: Any
) -> Chart:
    """Lines over the steps. Of one metric in several runs, the runs differ in colour; of several metrics, in dashes."""
    data: list[dict[str, Any]] = []
    said: list[str] = []
    listed: set[str] = set()
    several, single = len(view.runs) > 1, len(drawn) == 1
    for run in view.runs:
        values: list[tuple[str, int]] = []
        for thing in drawn:
            steps, found = view.series(run, thing.metric)
            if not found.size:
                continue
            by_run = single and run.among > 1
            seen, name = (run_look(run), run.name) if by_run else (thing.look, thing.name)
            traces = line(view, name, steps, found, view.smooth(run, thing.metric)[1], seen)
            traces[-1]["showlegend"] = name not in listed
            if several and not single:
                traces[-1]["line"]["dash"] = run_look(run).dash
                traces[-1]["hovertemplate"] = f"%{{y}}<extra>{label(name)} · {label(run.name)}</extra>"
            listed.add(name)
            data += traces
            words = f"{'' if several and single else thing.name + ' '}{number(found[-1], share=share)}"
            values.append((words, int(steps[-1])))
        said += [(f"{run.name}: " if several else "") + at_steps(values)] if values else []
    if not data:
        return Chart(title, f"Nothing to show yet: {missing}.")
    dashes = f" {first_dashes(view)}" if several and not single else ""
    summary = f"{averaged(view)}{'; '.join(said)}.{dashes}"
    return Chart(title, summary, data, over_steps(view, axis | (SHARE if share else {})))


def first_dashes(view: View) -> str:
    """Which run is drawn how, where colours tell of something else."""
    kinds = ("solid", "dashed", "dotted", "dashes and dots", "sparse dots")
    said = "; ".join(f"{kinds[run.place % len(kinds)]}: {run.name}" for run in view.runs)
    return said[:1].upper() + said[1:] + "."


def line(view: View, name: str, steps: Steps, values: Floats, smooth: Floats, seen: Look) -> list[dict[str, Any]]:
    """The moving average as a line and the values themselves thin and pale behind it; these alone without a window."""
    common: dict[str, Any] = {"type": "scatter", "name": label(name), "legendgroup": name}
    mode = "lines+markers" if len(steps) <= FEW else "lines"
    marker = {"color": seen.colour, "symbol": seen.symbol, "size": 6}
    x, y = thinned(steps, smooth)
    main = {**common, "x": x, "y": y, "mode": mode, "marker": marker}
    main["line"] = {"color": seen.colour, "width": 2.5, "dash": seen.dash}
    if view.window <= 1 or len(steps) < 2:
        return [main]
    x, y = thinned(steps, values)
    pale = {**common, "x": x, "y": y, "mode": "lines", "opacity": 0.3, "showlegend": False, "hoverinfo": "skip"}
    pale["line"] = {"color": seen.colour, "width": 1}
    return [pale, main | {"meta": "cased"}]


def cumulated(steps: Steps, values: Floats) -> tuple[Steps, Floats]:
    """Running totals."""
    return steps, values.cumsum()


def over_steps(view: View, yaxis: dict[str, Any] | None = None, **layout: Any) -> dict[str, Any]:
    """The layout of a picture over steps, with the transitions of a run that is shown alone."""
    return {"xaxis": {"title": "step"}, "yaxis": yaxis or {}, "shapes": transition_marks(view), **layout}


def transition_marks(view: View) -> list[dict[str, Any]]:
    """A line for each of the last transitions: advances drawn through, rollbacks dotted."""
    if len(view.runs) != 1:
        return []
    first = view.first(view.runs[0])
    shown = [switch for switch in view.runs[0].history.transitions if switch.step >= first][-MOST_MARKED:]
    return [
        {"type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1, "layer": "below"}
        | {"line": {"color": GREY, "width": 1, "dash": "solid" if switch.kind == ADVANCE else "dot"}}
        for switch in shown
        for at in [switch.step + 0.5]
    ]


def averaged(view: View) -> str:
    """What the lines are."""
    return f"Moving average over {view.window} steps; latest value: " if view.window > 1 else "Latest value: "


def at_steps(said: Sequence[tuple[str, int]]) -> str:
    """Values in words with the steps that told them, once where it is the same."""
    if len({step for _, step in said}) == 1:
        return f"{', '.join(words for words, _ in said)} (step {said[0][1]})"
    return ", ".join(f"{words} (step {step})" for words, step in said)


def together(run: Run, metrics: Sequence[str]) -> tuple[int, list[float | None]] | None:
    """The latest step that told any of these metrics, and what it told of each."""
    last = [run.history.metrics.last(name) for name in metrics]
    step = max((found[0] for found in last if found is not None), default=None)
    if step is None:
        return None
    return step, [found[1] if found is not None and found[0] == step else None for found in last]


def names_under(run: Run, prefix: str) -> list[str]:
    """What comes after a prefix, of the metrics that have nothing below that."""
    found = (name.removeprefix(prefix) for name in run.history.metrics.names if name.startswith(prefix))
    return sorted(name for name in found if name and "/" not in name)


def parts_together(view: View, run: Run, metrics: Sequence[str], window: int) -> tuple[Steps, Floats]:
    """Moving averages of what makes a whole, a row each, on the steps that told any; 0 where only others were told."""
    series = [run.history.metrics.series(name) for name in metrics]
    steps = all_steps(there for there, _ in series)
    rows = np.array([moving_average(steps, aligned(steps, *one), window) for one in series])
    shown, _ = view.cut(run, steps, steps.astype(float))
    return shown, rows[:, len(steps) - len(shown) :]
