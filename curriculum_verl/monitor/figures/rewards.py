"""What the reward is made of, and the tools that responses use."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from curriculum_verl.monitor.figures.drawing import (
    averaged,
    metric_chart,
    names_under,
    over_steps,
    parts_together,
    run_look,
    things,
    together,
)
from curriculum_verl.monitor.runs import Run
from curriculum_verl.monitor.series import thinned_together
from curriculum_verl.monitor.tools import count_tools
from curriculum_verl.monitor.view import View
from curriculum_verl.palette import INK
from curriculum_verl.web.charts import Chart, label
from curriculum_verl.web.looks import OVER, look
from curriculum_verl.words import number

WEIGHTED, RAW, TOOLS = "reward_weighted/", "reward/", "curriculum/curiosity/tools/"
MISSING = "the run tells no reward components (they need reward.components, or the plug-in's reward manager)"


def components(view: View) -> list[str]:
    """Of all runs that are shown, in the order of the usual three."""
    usual = ["final", "coherence", "curiosity"]
    found = {name for run in view.runs for prefix in (WEIGHTED, RAW) for name in names_under(run, prefix)}
    return [*(name for name in usual if name in found), *sorted(found - set(usual))]


def now(view: View) -> Chart:
    """What each component adds at the latest step: a ring while all add something, bars where one takes away."""
    title = "Reward now: what each component adds"
    names = components(view)
    found = {run.name: together(run, [WEIGHTED + name for name in names]) for run in view.runs}
    added = {run: latest for run, latest in found.items() if latest is not None}
    if not added:
        return Chart(title, f"Nothing to show yet: {MISSING}.")
    here = [any(values[place] is not None for _, values in added.values()) for place in range(len(names))]
    names = [name for name, is_here in zip(names, here, strict=True) if is_here]
    numbers = {
        run: [value or 0.0 for value, is_here in zip(values, here, strict=True) if is_here]
        for run, (_, values) in added.items()
    }
    said = "; ".join(
        (f"{run}: " if len(view.runs) > 1 else "")
        + ", ".join(f"{name} {value:+.3g}" for name, value in zip(names, values, strict=True))
        + f", together {sum(values):.3g} (step {added[run][0]})"
        for run, values in numbers.items()
    )
    looks = [look(place, len(names)) for place in range(len(names))]
    [first, *others] = numbers.values()
    positive = [place for place, value in enumerate(first) if value > 0]
    if not others and min(first) >= 0 and positive:
        ring = {
            "type": "pie",
            "hole": 0.55,
            "sort": False,
            "labels": [label(names[place]) for place in positive],
            "values": [first[place] for place in positive],
            "textinfo": "label+percent",
            "texttemplate": "%{label}<br>%{value:.3f} (%{percent})",
            "marker": {
                "colors": [looks[place].colour for place in positive],
                "pattern": {"shape": [looks[place].pattern for place in positive], **OVER},
                "line": {"color": INK, "width": 1},
            },
            "textposition": "outside",
            "automargin": True,
            "hovertemplate": "%{label}: %{value:.4g}<extra></extra>",
        }
        middle = {"text": f"{sum(first):.3g}", "showarrow": False, "x": 0.5, "y": 0.5, "font": {"size": 20}}
        return Chart(title, f"{said}.", [ring], {"annotations": [middle], "showlegend": False})
    bars = [
        {
            "type": "bar",
            "name": label(name),
            "x": [label(run) for run in numbers] if others else [label(name)],
            "y": [values[place] for values in numbers.values()],
            "marker": {"color": seen.colour, "pattern": {"shape": seen.pattern, **OVER}},
            "hovertemplate": "%{y:.4g}<extra>%{fullData.name}</extra>",
        }
        for place, (name, seen) in enumerate(zip(names, looks, strict=True))
    ]
    layout = {"barmode": "relative", "yaxis": {"zeroline": True}, "hovermode": "closest", "showlegend": bool(others)}
    return Chart(title, f"{said}.", bars, layout)


def weighted(view: View) -> Chart:
    """Over the steps, as they add up to the reward; lines instead of areas where one takes away, or runs compare."""
    title = "Reward by component, as weighted"
    names = components(view)
    told = [WEIGHTED + name for name in names]
    if len(view.runs) == 1 and all(_never_negative(view.runs[0], name) for name in told):
        return _stacked(view, view.runs[0], title, names)
    return metric_chart(view, title, things(zip(names, told, strict=True)), MISSING)


def raw(view: View) -> Chart:
    """Over the steps, before any weight."""
    names = components(view)
    drawn = things((name, RAW + name) for name in names)
    return metric_chart(view, "Reward by component, raw", drawn, MISSING)


def _never_negative(run: Run, metric: str) -> bool:
    return bool(np.all(run.history.metrics.series(metric)[1] >= 0))


def _stacked(view: View, run: Run, title: str, names: Sequence[str]) -> Chart:
    told = [name for name in names if run.history.metrics.last(WEIGHTED + name) is not None]
    latest = together(run, [WEIGHTED + name for name in told])
    if latest is None:
        return Chart(title, f"Nothing to show yet: {MISSING}.")
    x, rows = thinned_together(*parts_together(view, run, [WEIGHTED + name for name in told], view.window))
    if not x.size:
        return Chart(title, "Nothing to show yet: no step that is shown has told its reward by component.")
    data: list[dict[str, Any]] = []
    for place, name in enumerate(told):
        seen = look(place, len(told))
        data.append(
            {
                "type": "scatter",
                "name": label(name),
                "x": x,
                "y": rows[place],
                "stackgroup": "all",
                "line": {"color": seen.colour, "width": 1.5, "dash": seen.dash},
                "fillpattern": {"shape": seen.pattern, **OVER},
            }
        )
    step, found = latest
    values = {name: value for name, value in zip(told, found, strict=True) if value is not None}
    said = ", ".join(f"{name} {number(value)}" for name, value in values.items())
    summary = f"{averaged(view)}{said}, together {number(sum(values.values()))} (step {step})."
    return Chart(title, summary, data, over_steps(view))


def tools(view: View) -> Chart:
    """How often each tool is called in the latest batch."""
    title = "Tools used in the latest batch"
    found = [(run, step, shares) for run in view.runs for step, shares in [tool_shares(run)] if shares]
    if not found:
        why = "no response called a tool, or the run neither tells of tools (curiosity does) nor logs its rollouts"
        return Chart(title, f"Nothing to show yet: {why}.")
    totals = Counter[str]()
    for _, _, shares in found:
        totals.update(shares)
    names = [name for name, _ in totals.most_common()]
    data: list[dict[str, Any]] = []
    said: list[str] = []
    for run, step, shares in found:
        seen = run_look(run)
        bar: dict[str, Any] = {"type": "bar", "orientation": "h", "name": label(run.name)}
        bar |= {"y": [label(name) for name in names], "x": [shares.get(name, 0.0) for name in names]}
        bar["marker"] = {"color": seen.colour, "pattern": {"shape": seen.pattern, **OVER}}
        data.append(bar | {"hovertemplate": "%{y}: %{x:.1%}<extra>%{fullData.name}</extra>"})
        whose = f"{run.name}: " if len(found) > 1 else ""
        parts = ", ".join(f"{name} {number(shares.get(name, 0.0), share=True)}" for name in names[:6])
        said.append(f"{whose}{parts} (step {step})")
    layout = {
        "xaxis": {"tickformat": ".0%", "title": "share of the calls", "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed"},
        "hovermode": "closest",
    }
    return Chart(title, f"Share of the tool calls of the latest batch: {'; '.join(said)}.", data, layout)


def tool_shares(run: Run) -> tuple[int, dict[str, float]]:
    """As the curiosity reward told them last, else as counted in the latest step of the rollout log; with the step."""
    names = names_under(run, TOOLS)
    latest = together(run, [TOOLS + name for name in names])
    if latest is not None and any(latest[1]):
        return latest[0], {name: value for name, value in zip(names, latest[1], strict=True) if value is not None}
    steps = run.rollout_steps()
    counts = count_tools(run.rollouts, steps[-1]) if run.rollouts is not None and steps else Counter()
    whole = counts.total()
    return (steps[-1] if steps else 0), {name: count / whole for name, count in counts.items()}
