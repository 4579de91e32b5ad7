"""The curriculum's course: the stages with every transition, and how far the present one is from its end."""

from typing import Any

import numpy as np

from curriculum_verl.monitor.figures.drawing import line, over_steps, run_look
from curriculum_verl.monitor.runs import Run
from curriculum_verl.monitor.view import View
from curriculum_verl.palette import GREY, INK
from curriculum_verl.runs.columns import Steps
from curriculum_verl.runs.lines import ADVANCE, ROLLBACK, Line, names_of_tests
from curriculum_verl.web.charts import Chart, label
from curriculum_verl.web.looks import look
from curriculum_verl.words import counted, number

MOST = 500  # bars and marks of a run; one with more shows its latest
MARKS = {ADVANCE: "triangle-right", ROLLBACK: "triangle-left", "alarm": "x", "alert": "diamond-tall", "stop": "square"}


def timeline(view: View) -> Chart:
    """A bar for every time in a stage, a mark for every event, with its reason where the pointer rests on it."""
    title = "Stages"
    several = len(view.runs) > 1
    data: list[dict[str, Any]] = []
    rows: list[str] = []
    for run in view.runs:
        seen = run_look(run)
        named = {stage: label(f"{stage} · {run.name}" if several else stage) for stage in _stages(run)}
        rows += named.values()
        spans = [span for span in run.history.stays() if span.last > view.first(run)][-MOST:]
        bar: dict[str, Any] = {"type": "bar", "orientation": "h", "name": label(run.name), "width": 0.55}
        bar |= {"y": [named[span.stage] for span in spans], "base": [span.first - 1 for span in spans]}
        bar |= {"x": [span.last - span.first + 1 for span in spans], "marker": {"color": seen.colour}}
        bar["customdata"] = [f"{label(span.stage)}: steps {span.first} to {span.last}" for span in spans]
        data += [bar | {"hovertemplate": "%{customdata}<extra></extra>"}] if spans else []
        data += _marks(run, named, view.first(run))
    if not data:
        return Chart(title, "Nothing to show yet: no step was told.")
    said = "; ".join(f"{run.name + ': ' if several else ''}{_course(run)}" for run in view.runs) + "."
    said = said if several else said[:1].upper() + said[1:]
    layout = over_steps(view, {"categoryorder": "array", "categoryarray": rows[::-1]}, shapes=[])
    return Chart(title, said, data, layout | {"hovermode": "closest", "showlegend": several, "barmode": "overlay"})


def _stages(run: Run) -> list[str]:
    """In the order of the recipe, and after them any that only steps name."""
    return list(dict.fromkeys([*run.history.stages, *(span.stage for span in run.history.spans())]))


def _marks(run: Run, named: dict[str, str], first: int) -> list[dict[str, Any]]:
    events = [event for event in run.history.events if event.kind in MARKS and event.step >= first][-MOST:]
    if not events:
        return []
    stages = stages_at(run, np.array([event.step for event in events]))
    places = [named.get(event.target or stage, "") for event, stage in zip(events, stages, strict=True)]
    mark: dict[str, Any] = {"type": "scatter", "mode": "markers", "name": "events", "showlegend": False}
    mark |= {"x": [event.step for event in events], "y": places, "customdata": [in_words(event) for event in events]}
    mark["marker"] = {
        "symbol": [MARKS[event.kind] for event in events],
        "size": 13,
        "color": "white",
        "line": {"color": INK, "width": 2},
    }
    return [mark | {"hovertemplate": "%{customdata}<extra></extra>"}]


def stages_at(run: Run, steps: Steps) -> list[str]:
    """The stages that the steps were drawn in; the present one for steps that are not told yet."""
    spans = run.history.stays()
    if not spans:
        return [run.history.stage or ""] * len(steps)
    places = np.searchsorted([span.first for span in spans], steps, side="right") - 1
    after = steps > spans[-1].last
    return [
        (run.history.stage or "") if late else spans[place].stage if place >= 0 else ""
        for place, late in zip(places.tolist(), after.tolist(), strict=True)
    ]


def in_words(event: Line) -> str:
    """An event for plotly."""
    said = f"step {event.step}: {describe(event)}"
    return label(said if len(said) < 160 else said[:159] + "…")


def describe(event: Line) -> str:
    """What happened, and why."""
    if event.kind in (ADVANCE, ROLLBACK):
        known = "" if event.before is None else f"; score before {number(event.before)}"
        known += "" if event.after is None else f", after {number(event.after)}"
        return f"{event.kind} from {event.source} to {event.target}: {event.reason}{known}"
    if event.kind == "alarm":
        return f"forgetting alarm: bucket {event.bucket}"
    if event.kind == "alert":
        return f"alert {event.name}: {event.reason}"
    return f"{event.kind}: {event.reason or event.message}"


def _course(run: Run) -> str:
    history = run.history
    forth, back = (counted(len(history.of_kind(kind)), kind) for kind in (ADVANCE, ROLLBACK))
    if not history.spans():
        return "not begun"
    since = f", entered at step {history.transitions[-1].step}" if history.transitions else ""
    return f"stage {history.stage}{since}; {forth}, {back} so far"


def exit_tests(view: View) -> Chart:
    """The tests that can end the present stage of the first run, over its steps, each with its threshold."""
    run = view.runs[0]
    title = "Tests that end the stage" + (f" ({run.name})" if len(view.runs) > 1 else "")
    named = list(zip(names_of_tests(run.history.exit), run.history.exit, strict=True))
    tests = [(name, test) for name, test in named if run.history.tests.latest(name) is not None]
    spans = run.history.spans()
    if not tests or not spans:
        return Chart(title, "Nothing to show yet: the last stage has no exit, or no test has a value.")
    data: list[dict[str, Any]] = []
    layout = over_steps(view, shapes=[])
    height = 1 / len(tests)
    for place, (name, test) in enumerate(tests):
        axis = "" if place == 0 else str(place + 1)
        steps, values = run.history.tests.series(name)
        here = steps >= spans[-1].first
        seen = look(place, len(tests))
        data += line(View(view.runs, 1), name, steps[here], values[here], values[here], seen)
        data[-1] |= {"yaxis": f"y{axis}", "showlegend": True}
        top = 1 - place * height
        layout[f"yaxis{axis}"] = {"domain": [top - height * 0.86, top - height * 0.04], "nticks": 4}
        layout["shapes"].append(
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": f"y{axis}", "y0": test.threshold}
            | {"y1": test.threshold, "line": {"color": GREY, "width": 2, "dash": "dash"}}
        )
    said = "; ".join(f"{name}: {_value(test.value)}{' (met)' if test.met else ''}" for name, test in named)
    return Chart(title, f"Dashed: the thresholds. {said} (step {run.history.step}).", data, layout)


def _value(value: float | None) -> str:
    return "no value yet" if value is None else number(value)
