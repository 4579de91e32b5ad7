"""What runs did, by stage and bucket: every measure with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curriculum_verl.analysis.gathering import Gathered
from curriculum_verl.analysis.measures import Measure, estimate
from curriculum_verl.analysis.rows import Rows, merged
from curriculum_verl.analysis.tally import Cell, joined
from curriculum_verl.evaluation.statistics import Estimate

ALL = "(all)"


@dataclass(frozen=True, slots=True)
class Figures:
    """A run, or a stage of it, on a bucket or on all."""

    run: str
    stage: str
    bucket: str
    prompts: int
    responses: int
    measures: dict[str, Estimate]


def parts_of(names: Sequence[str], of: Sequence[str] | None = None) -> list[str]:
    """All of them, and each if there are several, here or among those of all runs."""
    return [ALL, *names] if len(names if of is None else of) > 1 else [ALL]


def rows_of(run: Gathered, stage: str = ALL, bucket: str = ALL) -> Rows:
    """One row for every prompt of a stage and bucket."""
    rows = run.rows
    if stage != ALL:
        rows = rows[rows["stage"] == run.stages.index(stage)]
    rows = merged(rows) if stage == ALL else rows
    return rows if bucket == ALL else rows[rows["bucket"] == run.buckets.index(bucket)]


def cell_of(run: Gathered, stage: str = ALL, bucket: str = ALL) -> Cell:
    """What is counted of all responses of a stage and bucket."""
    return joined(
        cell
        for (of_bucket, of_stage), cell in run.cells.items()
        if stage in (ALL, of_stage) and bucket in (ALL, of_bucket)
    )


def figures_of(run: Gathered, measures: Sequence[Measure], seed: int, buckets: Sequence[str]) -> list[Figures]:
    """The whole run first, then its buckets; then the same of every stage. `buckets` are those of all runs."""
    found = []
    for stage in parts_of(run.stages):
        rows = rows_of(run, stage)
        for bucket in parts_of(run.buckets, buckets):
            own = rows if bucket == ALL else rows[rows["bucket"] == run.buckets.index(bucket)]
            if len(own):
                estimates = {one.name: estimate(one.values(own), one.unit, seed) for one in measures}
                known = {name: it for name, it in estimates.items() if not np.isnan(it.value)}
                responses = int(own["responses"].sum())
                found.append(Figures(run.run.name, stage, bucket, len(own), responses, known))
    return found
