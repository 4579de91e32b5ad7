"""What happens bucket by bucket: shares of the batch, success, validation, forgetting, tokens."""

from typing import Any

from curriculum_verl.monitor.figures.drawing import (
    MOST_MARKED,
    Thing,
    at_steps,
    cumulated,
    first_dashes,
    line,
    metric_chart,
    over_steps,
    parts_together,
    run_look,
    together,
)
from curriculum_verl.monitor.runs import Run
from curriculum_verl.monitor.series import thinned_together
from curriculum_verl.monitor.view import View
from curriculum_verl.palette import INK
from curriculum_verl.web.charts import Chart, label
from curriculum_verl.web.looks import OVER, bucket_look
from curriculum_verl.words import number

SHARES = "curriculum/share/"


def of_buckets(view: View, metric: str) -> list[Thing]:
    """A metric of every bucket, {} standing for its name; the buckets of all runs, easiest first."""
    names = list(dict.fromkeys(bucket for run in view.runs for bucket in run.history.buckets))
    return [Thing(n, metric.replace("{}", n), bucket_look(place, len(names))) for place, n in enumerate(names)]


def shares(view: View) -> Chart:
    """What the batches are made of: areas for one run, lines where runs compare."""
    title = "Buckets in the batch"
    if len(view.runs) != 1:
        as_told = View(view.runs, 1, view.last)
        return metric_chart(as_told, title, of_buckets(view, SHARES + "{}"), "no step has told its shares", share=True)
    run = view.runs[0]
    parts = of_buckets(view, SHARES + "{}")
    metrics = [part.metric for part in parts]
    latest = together(run, metrics)
    if latest is None:
        return Chart(title, "Nothing to show yet: no step has told its shares.")
    x, rows = thinned_together(*parts_together(view, run, metrics, 1))
    if not x.size:
        return Chart(title, "Nothing to show yet: no step that is shown has told its shares.")
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "name": label(part.name),
            "x": x,
            "y": row,
            "stackgroup": "all",
            "line": {"color": part.look.colour, "width": 1},
            "fillpattern": {"shape": part.look.pattern, **OVER},
            "hovertemplate": "%{y:.1%}",
        }
        for part, row in zip(parts, rows, strict=True)
    ]
    step, values = latest
    said = at_steps(
        [(f"{part.name} {number(value or 0.0, share=True)}", step) for part, value in zip(parts, values, strict=True)]
    )
    layout = over_steps(view, {"tickformat": ".0%", "range": [0, 1]})
    return Chart(title, f"Easiest at the bottom. Latest batch: {said}.", data, layout)


def success(view: View) -> Chart:
    """How many responses pass in training."""
    drawn = of_buckets(view, "curriculum/train/{}/success_rate")
    return metric_chart(view, "Success in training, by bucket", drawn, "no step has told it by bucket", share=True)


def validation(view: View) -> Chart:
    """The scores of held-out prompts: what the curriculum decides by."""
    chart = metric_chart(
        View(view.runs, 1, view.last), "Validation, by bucket", of_buckets(view, "val/{}"), "there was no validation"
    )
    for one in chart.data:
        one["mode"] = "lines+markers"
    return chart


def forgetting(view: View) -> Chart:
    """How far every bucket is below its best, with the alarms."""
    title = "Forgetting: validation below its best"
    drawn = of_buckets(view, "curriculum/forgetting/{}")
    chart = metric_chart(View(view.runs, 1, view.last), title, drawn, "no validation of a bucket that was taught")
    if not chart.data:
        return chart
    alarms = [(run, alarm) for run in view.runs for alarm in run.history.of_kind("alarm")]
    shown = [(run, alarm) for run, alarm in alarms if alarm.step > view.first(run)][-MOST_MARKED:]
    marks = [mark for run, alarm in shown if (mark := _alarm(run, drawn, alarm.bucket, alarm.step))]
    count = f" Crosses: forgetting alarms, {len(alarms):,} so far." if alarms else " No forgetting alarm so far."
    return Chart(title, chart.summary + count, chart.data + marks, chart.layout)


def _alarm(run: Run, drawn: list[Thing], bucket: str, step: int) -> dict[str, Any]:
    """A mark where an alarm was raised, at the height of the line."""
    metric = next((thing.metric for thing in drawn if thing.name == bucket), None)
    steps, values = run.history.metrics.series(metric or "")
    if not values.size:
        return {}
    at = int(steps.searchsorted(step))
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [step],
        "y": [float(values[min(at, len(values) - 1)])],
        "name": label(f"alarm: {bucket}"),
        "marker": {"symbol": "x", "size": 12, "color": INK, "line": {"color": "white", "width": 1}},
        "showlegend": False,
        "hovertemplate": f"forgetting alarm: {label(bucket)}<extra></extra>",
    }


def tokens(view: View) -> Chart:
    """What every bucket has cost so far."""
    title = "Tokens spent, by bucket"
    parts = of_buckets(view, "curriculum/tokens/{}")
    data: list[dict[str, Any]] = []
    said: list[str] = []
    listed: set[str] = set()
    for run in view.runs:
        spent = []
        for part in parts:
            steps, values = view.cut(run, *cumulated(*run.history.metrics.series(part.metric)))
            if not values.size:
                continue
            [trace] = line(View(view.runs, 1), part.name, steps, values, values, part.look)
            if len(view.runs) > 1:
                trace["line"]["dash"] = run_look(run).dash
                trace["showlegend"] = part.name not in listed
                trace["hovertemplate"] = f"%{{y}}<extra>{label(part.name)} · {label(run.name)}</extra>"
            data.append(trace)
            listed.add(part.name)
            spent.append(f"{part.name} {values[-1]:,.0f}")
        said += [f"{run.name + ': ' if len(view.runs) > 1 else ''}{', '.join(spent)}"] if spent else []
    if not data:
        return Chart(title, "Nothing to show yet: runs of GRPO tell this, fine-tuning does not.")
    dashes = f" {first_dashes(view)}" if len(view.runs) > 1 else ""
    return Chart(title, f"In all so far: {'; '.join(said)}.{dashes}", data, over_steps(view, {"rangemode": "tozero"}))
