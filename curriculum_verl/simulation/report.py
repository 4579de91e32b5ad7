"""What a simulation showed, as text: the timeline of stages, what every bucket took, warnings and alerts."""

from collections.abc import Sequence

import numpy as np

from curriculum_verl.curriculum import CurriculumConfig
from curriculum_verl.simulation.run import RunSettings, Trace

TARGETS = (0.5, 0.7, 0.9)

Row = list[object]


def table(rows: Sequence[Row]) -> str:
    """Rows as aligned columns, the first row being the heads; columns of numbers to the right."""
    cells = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    columns = range(len(rows[0]))
    widths = [max(len(row[i]) for row in cells) for i in columns]
    right = [all(row[i][:1].isdigit() or row[i] == "-" for row in cells[1:]) for i in columns]
    lines = [
        "  ".join(row[i].rjust(widths[i]) if right[i] else row[i].ljust(widths[i]) for i in columns).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def report(trace: Trace, config: CurriculumConfig, run: RunSettings) -> str:
    """The whole text for one recipe."""
    others = ", ".join(f"{size} of {bucket}" for bucket, size in run.group_size.items())
    batch = f"{run.batch} prompts x {run.responses} responses" + (f" ({others})" if others else "")
    head = f"{len(trace.stages)} steps of {batch}, {trace.validations} validations"
    parts = [head, timeline(trace, config.stages[0].name), by_bucket(trace), "\n".join(notes(trace))]
    return "\n\n".join(part for part in parts if part)


def notes(trace: Trace) -> list[str]:
    """Warnings, forgetting alarms and alerts."""
    warnings = [f"warning: {warning}" for warning in trace.warnings]
    forgetting = [f"forgetting: bucket {bucket} at step {step}" for step, bucket in trace.alarms]
    return (
        warnings + forgetting + [f"alert {alert.name} at step {step}: {alert.reason}" for step, alert in trace.alerts]
    )


def timeline(trace: Trace, first_stage: str) -> str:
    """One line for every stretch of steps in one stage, with the reason that ended it."""
    return table(timeline_rows(trace, first_stage))


def timeline_rows(trace: Trace, first_stage: str) -> list[Row]:
    """The same as rows, the first being the heads."""
    segments = [(t.source, t.step, f"{t.kind}: {t.reason}") for t in trace.transitions]
    last = trace.transitions[-1].target if trace.transitions else first_stage
    segments.append((last, len(trace.stages), f"stop: {trace.stop}" if trace.stop else "the simulation ended"))
    rows: list[Row] = [["stage", "steps", "prompts", "tokens", "train success", "ended by"]]
    first = 0
    for name, end, reason in segments:
        span = slice(first, end)
        steps = f"{first + 1}-{end}" if end > first else "-"
        success = f"{trace.success[span].mean():.3f}" if end > first else "-"
        rows.append([name, steps, trace.prompts[span].sum(), f"{trace.tokens[span].sum():,.0f}", success, reason])
        first = end
    return rows


def by_bucket(trace: Trace) -> str:
    """What every bucket took, and its pass rate before and after."""
    return table(bucket_rows(trace))


def bucket_rows(trace: Trace) -> list[Row]:
    """The same as rows, the first being the heads."""
    rows: list[Row] = [["bucket", "prompts", "share", "tokens", "pass rate before", "after"]]
    prompts, tokens = trace.prompts.sum(axis=0), trace.tokens.sum(axis=0)
    for b, name in enumerate(trace.buckets):
        before, after = float(trace.pass_rates[0, b]), float(trace.pass_rates[-1, b])
        rows.append([name, prompts[b], float(prompts[b] / prompts.sum()), f"{tokens[b]:,.0f}", before, after])
    return rows


def first_steps(trace: Trace, stages: Sequence[str]) -> dict[str, int | None]:
    """The step after which every stage was first entered, 0 for the first; None for one that never was."""
    entered: dict[str, int | None] = dict.fromkeys(stages)
    entered[stages[0]] = 0
    for transition in trace.transitions:
        if entered[transition.target] is None:
            entered[transition.target] = transition.step
    return entered


def tokens_to(trace: Trace, target: float) -> float | None:
    """Tokens spent until the mean pass rate over buckets first reached a target; None if it never did."""
    reached = np.flatnonzero(trace.pass_rates.mean(axis=1) >= target)
    return float(trace.tokens[: reached[0]].sum()) if reached.size else None
