"""What was read, as files: metrics and events as CSV, all of it as JSON."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from curriculum_verl.monitor.figures.stages import describe, stages_at
from curriculum_verl.monitor.runs import Run
from curriculum_verl.monitor.series import all_steps
from curriculum_verl.runs.columns import Floats, Steps
from curriculum_verl.words import no_formula

ROWS = 500  # that are written at once
EVENT_FIELDS = (
    "run",
    "step",
    "time",
    "kind",
    "source",
    "target",
    "reason",
    "before",
    "after",
    "name",
    "bucket",
    "message",
)


def metrics_csv(runs: Sequence[Run]) -> Iterator[bytes]:
    """A line for each step of each run, a column for each metric; empty where a step did not tell it."""
    names = sorted({name for run in runs for name in run.history.metrics.names})
    yield _lines([["run", "step", "time", "stage", *map(no_formula, names)]])
    for run in runs:
        steps = _all_steps(run, names)
        for begin in range(0, len(steps), ROWS):
            part = steps[begin : begin + ROWS]
            columns = [_on(part, *run.history.metrics.series(name)) for name in names]
            clock = _on(part, *run.history.times)
            stages = stages_at(run, part)
            yield _lines(
                [no_formula(run.name), step, _number(time), no_formula(stage), *map(_number, row)]
                for step, time, stage, row in zip(
                    part.tolist(),
                    clock.tolist(),
                    stages,
                    zip(*(one.tolist() for one in columns), strict=True),
                    strict=True,
                )
            )


def events_csv(runs: Sequence[Run]) -> Iterator[bytes]:
    """A line for each transition, alarm, alert, warning and stop."""
    yield _lines([EVENT_FIELDS])
    yield _lines(
        [no_formula(run.name), *(no_formula(getattr(event, name)) for name in EVENT_FIELDS[1:])]
        for run in runs
        for event in run.history.events
    )


def everything(runs: Sequence[Run]) -> Iterator[bytes]:
    """JSON: of every run its stages, events, exit tests, and every metric as steps and values.

    `spans` are the steps that were drawn in each stage, as the timeline has them: a transition counts from the step
    after its own on.
    """
    yield b'{"runs":['
    for place, run in enumerate(runs):
        history = run.history
        head: dict[str, Any] = {
            "name": run.name,
            "file": str(run.followed.path),
            "unreadable_lines": run.followed.unreadable,
            "step": history.step,
            "stages": history.stages,
            "buckets": history.buckets,
            "spans": history.stays(),
            "exit": history.exit,
            "events": [{**msgspec.to_builtins(event), "words": describe(event)} for event in history.events],
        }
        yield (b"," if place else b"") + msgspec.json.encode(head)[:-1] + b',"metrics":{'
        for number, name in enumerate(sorted(history.metrics.names)):
            steps, values = history.metrics.series(name)
            series = msgspec.json.encode({"steps": steps.tolist(), "values": values.tolist()})
            yield (b"," if number else b"") + msgspec.json.encode(name) + b":" + series
        yield b"}}"
    yield b"]}\n"


def _all_steps(run: Run, names: Sequence[str]) -> Steps:
    """Those that were trained, and those that were only validated."""
    return all_steps([run.history.steps, *(run.history.metrics.series(name)[0] for name in names)])


def _on(steps: Steps, there: Steps, values: Floats) -> Floats:
    """The series on these steps, NaN where it has no value; it may have got others since the steps were listed."""
    filled = np.full(len(steps), np.nan)
    begin, end = np.searchsorted(there, [steps[0], steps[-1] + 1])
    places = np.searchsorted(steps, there[begin:end])
    listed = steps[places] == there[begin:end]
    filled[places[listed]] = values[begin:end][listed]
    return filled


def _number(value: float) -> str:
    return "" if value != value else repr(value)


def _lines(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")
