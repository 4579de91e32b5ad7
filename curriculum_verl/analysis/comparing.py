"""Runs against each other, and stages of a run, on the prompts that both have: a change with its interval, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curriculum_verl.analysis.figures import ALL, parts_of, rows_of
from curriculum_verl.analysis.gathering import Gathered
from curriculum_verl.analysis.measures import BY_NAME, Measure, difference
from curriculum_verl.analysis.rows import Rows
from curriculum_verl.errors import InputError
from curriculum_verl.evaluation.figures import pairs
from curriculum_verl.evaluation.statistics import Estimate


@dataclass(frozen=True, slots=True)
class Side:
    """A run, or a stage of one, as it is compared."""

    name: str
    gathered: Gathered
    stage: str = ALL

    @property
    def rows(self) -> Rows:
        """One row for every prompt, sorted by key."""
        return rows_of(self.gathered, self.stage)


@dataclass(frozen=True, slots=True)
class Change:
    """A measure on the prompts that two sides share: the second minus the first; each is a mean over those prompts."""

    of: str  # runs, or stages of the run
    before: str
    after: str
    bucket: str
    measure: str
    prompts: int
    first: float
    second: float
    change: Estimate

    @property
    def direction(self) -> str:
        """Where the second stands, seen from the first."""
        return "higher" if self.change.value > 0 else "lower" if self.change.value < 0 else "the same"

    @property
    def verdict(self) -> str:
        """Clear if the interval lies on one side of 0."""
        return "clear" if self.change.sign else "not clear"

    def in_words(self) -> str:
        """The measure with its change and interval."""
        measure = BY_NAME[self.measure]
        return f"{measure.short} {measure.with_interval(self.change, sign=True)}"


@dataclass(frozen=True, slots=True)
class Shared:
    """How many prompts two sides share."""

    of: str
    before: str
    after: str
    prompts: int


def compare_runs(runs: Sequence[Gathered], measures: Sequence[Measure], seed: int) -> tuple[list[Change], list[Shared]]:
    """Each run with the first and with the one before it; an error if no two of them have a prompt in common."""
    sides = {run.run.name: Side(run.run.name, run) for run in runs}
    changes, shared = _compare("runs", [(sides[a], sides[b]) for a, b in _pairs(list(sides))], measures, seed)
    if shared and not any(one.prompts for one in shared):
        raise InputError(
            f"{' and '.join(sides)} have no prompt in common, expected the same ids (or prompts) in each; analyze one "
            "run at a time, or have all answer the same prompts by --generate"
        )
    return changes, shared


def compare_stages(run: Gathered, measures: Sequence[Measure], seed: int) -> tuple[list[Change], list[Shared]]:
    """Each stage with the first and with the one before it."""
    sides = {stage: Side(stage, run, stage) for stage in run.stages}
    return _compare(f"stages of {run.run.name}", [(sides[a], sides[b]) for a, b in _pairs(run.stages)], measures, seed)


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return pairs(names) if len(names) > 1 else []


def _compare(
    of: str, given: Sequence[tuple[Side, Side]], measures: Sequence[Measure], seed: int
) -> tuple[list[Change], list[Shared]]:
    changes, shared = [], []
    for before, after in given:
        first, second = common(before.rows, after.rows)
        shared.append(Shared(of, before.name, after.name, len(first)))
        for bucket in parts_of(before.gathered.buckets):
            inside = slice(None) if bucket == ALL else first["bucket"] == before.gathered.buckets.index(bucket)
            changes += [
                change
                for measure in measures
                if (change := _change(of, before, after, bucket, measure, first[inside], second[inside], seed))
            ]
    return changes, shared


def _change(
    of: str, before: Side, after: Side, bucket: str, measure: Measure, first: Rows, second: Rows, seed: int
) -> Change | None:
    old, new = measure.values(first), measure.values(second)
    change, prompts = difference(old, new, measure.unit, seed)
    if not prompts:
        return None
    known = ~np.isnan(old) & ~np.isnan(new)
    means = float(old[known].mean()), float(new[known].mean())
    return Change(of, before.name, after.name, bucket, measure.name, prompts, *means, change)


def common(first: Rows, second: Rows) -> tuple[Rows, Rows]:
    """The rows of the prompts that both have, in the same order."""
    _, left, right = np.intersect1d(first["key"], second["key"], assume_unique=True, return_indices=True)
    return first[left], second[right]
