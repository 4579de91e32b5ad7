"""Recipes side by side: each is played with several seeds, and summed up with the spread over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from tqdm import tqdm

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.simulation.labels import told_apart
from curriculum_verl.simulation.prompts import Prompts
from curriculum_verl.simulation.report import TARGETS, Row, first_steps, table, tokens_to
from curriculum_verl.simulation.run import Trace, simulate
from curriculum_verl.simulation.setup import Setup
from curriculum_verl.words import counted

Measured = dict[str, dict[str, float | None]]
"""By measure and by what it is of (a bucket, a stage, or "" for the whole): a number, None for what never came."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One recipe: a trace for each seed."""

    config: CurriculumConfig
    setup: Setup
    traces: dict[int, Trace]

    @property
    def stages(self) -> list[str]:
        """The names of its stages."""
        return [stage.name for stage in self.config.stages]

    def measured(self) -> dict[int, Measured]:
        """What is measured, by seed."""
        return {seed: _measure(trace, self.stages) for seed, trace in self.traces.items()}


def compare(
    configs: Mapping[str, CurriculumConfig], prompts: Prompts, setups: Mapping[str, Setup], seeds: Sequence[int]
) -> dict[str, Compared]:
    """Play every recipe with every seed, which goes for the learner's answers and for the recipe's own draws.

    The prompts are the same for all.
    """
    played: dict[str, dict[int, Trace]] = {recipe: {} for recipe in configs}
    runs = [(recipe, seed) for seed in seeds for recipe in configs]
    for recipe, seed in tqdm(runs, desc="compare", unit=" runs", disable=None):
        config, setup = configs[recipe], setups[recipe]
        world = prompts.world(config.pass_threshold, setup)
        run = replace(setup.run, seed=setup.run.seed + seed)
        played[recipe][seed] = simulate(replace(config, seed=config.seed + seed), world, run, None)
    return {recipe: Compared(configs[recipe], setups[recipe], traces) for recipe, traces in played.items()}


def _measure(trace: Trace, stages: Sequence[str]) -> Measured:
    kinds = [transition.kind for transition in trace.transitions]
    entered = first_steps(trace, stages)
    by_bucket = {
        "prompts": trace.prompts.sum(axis=0),
        "tokens": trace.tokens.sum(axis=0),
        "pass rate at the end": trace.pass_rates[-1],
    }
    return {
        "steps": {"": float(len(trace.stages))},
        "entered after step": {stage: entered[stage] for stage in stages[1:]},
        "rollbacks": {"": float(kinds.count("rollback"))},
        "alerts": {"": float(len(trace.alerts))},
        "forgetting alarms": {"": float(len(trace.alarms))},
        **{measure: dict(zip(trace.buckets, map(float, values), strict=True)) for measure, values in by_bucket.items()},
        "all tokens": {"": float(trace.tokens.sum())},
        "mean pass rate at the end": {"": float(trace.pass_rates[-1].mean())},
        "tokens to a mean pass rate": {f"{target}": tokens_to(trace, target) for target in TARGETS},
    }


def side_by_side(compared: Mapping[str, Compared]) -> str:
    """A table with a column for every recipe: means over the seeds, least and greatest beside them."""
    measured = {recipe: one.measured() for recipe, one in compared.items()}
    rows: list[Row] = [["", *told_apart(list(compared))]]
    most = max(len(one.stages) for one in compared.values())
    rows.append(["steps", *(_spread(measured[recipe], "steps", "") for recipe in compared)])
    for number in range(1, most):
        cells = [
            f"{one.stages[number]}: {_spread(measured[recipe], 'entered after step', one.stages[number])}"
            if number < len(one.stages)
            else "-"
            for recipe, one in compared.items()
        ]
        rows.append([f"stage {number + 1} after step", *cells])
    first = next(iter(next(iter(measured.values())).values()))
    for measure, values in first.items():
        if measure in ("steps", "entered after step"):
            continue
        for of in values:
            name = f"{measure} of {of}" if of else measure
            rows.append([name, *(_spread(measured[recipe], measure, of) for recipe in compared)])
    return table(rows)


def _spread(by_seed: Mapping[int, Measured], measure: str, of: str) -> str:
    """The mean with the least and the greatest; of what came with some seeds only, with how many."""
    found = [one[measure][of] for one in by_seed.values()]
    values = [value for value in found if value is not None]
    if not values:
        return "never"
    spread = _number(fmean(values))
    if min(values) != max(values):
        spread = f"{spread} ({_number(min(values))} to {_number(max(values))})"
    return spread if len(values) == len(found) else f"{spread}, {len(values)} of {len(found)} seeds"


def _number(value: float) -> str:
    """Whole numbers as they are; others with three decimals, or one from 10 on."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def remarks(compared: Mapping[str, Compared]) -> list[str]:
    """Warnings, forgetting alarms, alerts and stops of every recipe, each once: in how many seeds, and from when on."""
    found = []
    for label, one in zip(told_apart(list(compared)), compared.values(), strict=True):
        firsts: dict[str, list[int]] = {}
        for trace in one.traces.values():
            for what, step in _firsts(trace).items():
                firsts.setdefault(what, []).append(step)
        for what, steps in firsts.items():
            when = f", first at step {min(steps):,}" if min(steps) else ""
            found.append(f"{label}: {what} (in {len(steps)} of {counted(len(one.traces), 'seed')}{when})")
    return found


def _firsts(trace: Trace) -> dict[str, int]:
    """What was told of a run, and at which step first; 0 where that is not told."""
    told = [(f"warning: {warning}", 0) for warning in trace.warnings]
    told += [(f"forgetting: bucket {bucket}", step) for step, bucket in trace.alarms]
    told += [(f"alert {alert.name}", step) for step, alert in trace.alerts]
    told += [("stopped", len(trace.stages))] if trace.stop is not None else []
    firsts: dict[str, int] = {}
    for what, step in told:
        firsts.setdefault(what, step)
    return firsts
