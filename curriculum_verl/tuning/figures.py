"""The simulation in pictures: what the batches hold, what is learned, what it costs, and where stages switch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from curriculum_verl.palette import GREY, INK
from curriculum_verl.simulation.run import Trace
from curriculum_verl.tuning.trial import Played
from curriculum_verl.web.charts import Chart, label
from curriculum_verl.web.looks import OVER, bucket_look
from curriculum_verl.words import counted

MOST_MARKED = 60  # transitions that get a line
MOST_NAMED = 12  # stages in the summary
LETTER = 0.013  # of the picture's width
NONE = "Nothing to show: no recipe could be played yet."


def draw(now: Played | None, opened: Trace | None) -> dict[str, Chart]:
    """The pictures; `opened` is the recipe as it was opened, drawn thin behind it."""
    if now is None or now.trace is None:
        empty = {"batch": "Buckets in the batch", "rates": "Pass rate by bucket", "spent": "Tokens by bucket"}
        return {name: Chart(title, NONE) for name, title in empty.items()}
    trace = now.trace
    stages = [stage.name for stage in now.config.stages]
    return {"batch": _batch(trace, stages), "rates": _rates(trace, opened), "spent": _spent(trace)}


def _batch(trace: Trace, stages: Sequence[str]) -> Chart:
    steps = np.arange(1, len(trace.stages) + 1)
    shares = trace.prompts / trace.prompts.sum(axis=1, keepdims=True)
    data: list[dict[str, Any]] = []
    for b, name in enumerate(trace.buckets):
        look = bucket_look(b, len(trace.buckets))
        data.append(
            {
                "type": "scatter",
                "name": label(name),
                "x": steps,
                "y": shares[:, b],
                "stackgroup": "all",
                "line": {"color": look.colour, "width": 1, "shape": "hvh"},
                "fillpattern": {"shape": look.pattern, **OVER},
                "hovertemplate": "%{y:.1%}",
            }
        )
    if trace.alerts or trace.alarms:
        data.append(_marks(trace))
    layout = _over_steps(trace, {"tickformat": ".0%", "range": [0, 1]})
    layout["annotations"] = _names(trace, stages)
    layout["margin"] = {"l": 48, "r": 16, "t": 42, "b": 36}
    layout["legend"] = {"orientation": "h", "y": 1.14, "yanchor": "bottom", "x": 0}
    course = [stages[0], *(f"{t.target} ({t.kind} at {t.step})" for t in trace.transitions)]
    shown = course if len(course) <= MOST_NAMED else [*course[:MOST_NAMED], "..."]
    ended = f"; stops at step {len(trace.stages)}: {trace.stop}" if trace.stop else ""
    return Chart("Stages and buckets in the batch", f"{', then '.join(shown)}{ended}.", data, layout)


def _marks(trace: Trace) -> dict[str, Any]:
    """Alerts and forgetting alarms, on the upper edge."""
    told = [(step, f"alert {alert.name}: {alert.reason}") for step, alert in trace.alerts]
    told += [(step, f"bucket {bucket} is being forgotten") for step, bucket in trace.alarms]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "alerts and alarms",
        "x": [step for step, _ in told],
        "y": [1.0] * len(told),
        "customdata": [label(f"step {step}: {text}") for step, text in told],
        "hovertemplate": "%{customdata}<extra></extra>",
        "cliponaxis": False,
        "marker": {"symbol": "triangle-down", "size": 11, "color": "white", "line": {"color": INK, "width": 2}},
    }


def _names(trace: Trace, stages: Sequence[str]) -> list[dict[str, Any]]:
    """The name of a stage where it begins, unless another one is in its way; the summary has them all."""
    begins = [(0, stages[0]), *((t.step, t.target) for t in trace.transitions)]
    common = {"yref": "paper", "y": 1.0, "yanchor": "bottom", "xanchor": "left", "showarrow": False}
    made: list[dict[str, Any]] = []
    free = 0.0  # where the last name ends
    for step, name in begins:
        if step >= free:
            made.append({**common, "x": step, "text": label(_short(name))})
            free = step + len(_short(name)) * LETTER * len(trace.stages)
    return made


def _short(name: str) -> str:
    return name if len(name) <= 18 else name[:17] + "…"


def _rates(trace: Trace, opened: Trace | None) -> Chart:
    data: list[dict[str, Any]] = []
    for b, name in enumerate(trace.buckets):
        look = bucket_look(b, len(trace.buckets))
        if opened is not None:
            data.append(_line(f"{name}, as opened", opened.pass_rates[:, b], look.colour, look.dash, opened=True))
        data.append(_line(name, trace.pass_rates[:, b], look.colour, look.dash))
    said = ", ".join(
        f"{name} {before:.0%} to {after:.0%}"
        for name, before, after in zip(trace.buckets, trace.pass_rates[0], trace.pass_rates[-1], strict=True)
    )
    behind = " Thin: the recipe as it was opened." if opened is not None else ""
    return Chart(
        "Pass rate by bucket", f"{said}.{behind}", data, _over_steps(trace, {"tickformat": ".0%", "range": [0, 1]})
    )


def _spent(trace: Trace) -> Chart:
    data = []
    for b, name in enumerate(trace.buckets):
        look = bucket_look(b, len(trace.buckets))
        data.append(_line(name, np.concatenate([[0.0], np.cumsum(trace.tokens[:, b])]), look.colour, look.dash))
    total = trace.tokens.sum(axis=0)
    said = ", ".join(f"{name} {tokens:,.0f}" for name, tokens in zip(trace.buckets, total, strict=True))
    return Chart("Tokens by bucket", f"{total.sum():,.0f} in all: {said}.", data, _over_steps(trace, {}))


def _line(name: str, values: Any, colour: str, dash: str, *, opened: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "scatter", "mode": "lines", "name": label(name)}
    made |= {
        "x": np.arange(len(values)),
        "y": values,
        "line": {"color": colour, "width": 1 if opened else 3, "dash": dash},
    }
    return made | ({"opacity": 0.5, "showlegend": False, "hoverinfo": "skip"} if opened else {"meta": "cased"})


def _over_steps(trace: Trace, yaxis: dict[str, Any]) -> dict[str, Any]:
    """The layout over steps; advances are lines drawn through, rollbacks dotted ones."""
    common = {"type": "line", "xref": "x", "yref": "paper", "y0": 0, "y1": 1}
    shapes = [
        {**common, "x0": t.step + 0.5, "x1": t.step + 0.5}
        | {"line": {"color": GREY, "width": 2, "dash": "solid" if t.kind == "advance" else "dot"}}
        for t in trace.transitions[-MOST_MARKED:]
    ]
    return {"xaxis": {"title": "step", "range": [0, len(trace.stages)]}, "yaxis": yaxis, "shapes": shapes}


def course_in_words(trace: Trace) -> str:
    """How many steps, advances and rollbacks."""
    kinds = [t.kind for t in trace.transitions]
    counts = [counted(kinds.count(kind), kind) for kind in ("advance", "rollback")]
    return f"{counted(len(trace.stages), 'step')}, {', '.join(counts)}"
