"""Recipes side by side: each is played with several seeds, and summed up with the spread over them."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from tqdm import tqdm

from curriculum_verl.atomic import replacing
from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.simulation.prompts import Prompts
from curriculum_verl.simulation.report import Row, table
from curriculum_verl.simulation.run import Trace, simulate
from curriculum_verl.tuning.trial import Setting, first_steps

Measured = dict[str, dict[str, float | None]]
"""By measure and by what it is of (a bucket, a stage, or "" for the whole): a number, None for what never came."""
COLUMNS = ("recipe", "seed", "measure", "of", "value")


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One recipe: a trace for each seed."""

    config: CurriculumConfig
    traces: dict[int, Trace]

    @property
    def stages(self) -> list[str]:
        """The names of its stages."""
        return [stage.name for stage in self.config.stages]

    def measured(self) -> dict[int, Measured]:
        """What is measured, by seed."""
        return {seed: _measure(trace, self.stages) for seed, trace in self.traces.items()}


def compare(
    configs: Mapping[str, CurriculumConfig], prompts: Prompts, setting: Setting, seeds: Sequence[int]
) -> dict[str, Compared]:
    """Play every recipe with every seed, which goes for the learner's answers and for the recipe's own draws."""
    played: dict[str, dict[int, Trace]] = {recipe: {} for recipe in configs}
    runs = [(recipe, seed) for seed in seeds for recipe in configs]
    for recipe, seed in tqdm(runs, desc="compare", unit=" runs", disable=None):
        config = replace(configs[recipe], seed=configs[recipe].seed + seed)
        world = prompts.world(config.pass_threshold, learns=setting.learns, **setting.learner)
        run = replace(setting.run, seed=setting.run.seed + seed)
        played[recipe][seed] = simulate(config, world, run, None)
    return {recipe: Compared(configs[recipe], traces) for recipe, traces in played.items()}


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
    }


def side_by_side(compared: Mapping[str, Compared]) -> str:
    """A table with a column for every recipe: means over the seeds, least and greatest beside them."""
    measured = {recipe: one.measured() for recipe, one in compared.items()}
    rows: list[Row] = [["", *compared]]
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
    mean, least, most = _number(fmean(values)), _number(min(values)), _number(max(values))
    spread = mean if least == most else f"{mean} ({least} to {most})"
    return spread if len(values) == len(found) else f"{spread}, {len(values)} of {len(found)}"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 2 and value != int(value) else f"{value:,.0f}"


def write(compared: Mapping[str, Compared], setting: Setting, folder: Path) -> list[Path]:
    """The numbers as JSON and CSV, and the picture."""
    from curriculum_verl.tuning.picture import draw_comparison

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"comparison.{kind}" for kind in ("json", "csv", "png")]
    with replacing(paths[0]) as file:
        file.write(json.dumps(_document(compared, setting), indent=1).encode() + b"\n")
    with replacing(paths[1]) as file:
        file.write(_csv(compared).encode())
    draw_comparison(compared, paths[2])
    return paths


def _document(compared: Mapping[str, Compared], setting: Setting) -> dict[str, Any]:
    """Everything by recipe and seed, with every transition."""
    return {
        "setting": setting.values(),
        "recipes": [
            {
                "recipe": recipe,
                "stages": one.stages,
                "buckets": list(next(iter(one.traces.values())).buckets),
                "seeds": [
                    {"seed": seed, "measured": measured, **_events(one.traces[seed])}
                    for seed, measured in one.measured().items()
                ],
            }
            for recipe, one in compared.items()
        ],
    }


def _events(trace: Trace) -> dict[str, Any]:
    told = [
        {"step": t.step, "kind": t.kind, "source": t.source, "target": t.target, "reason": t.reason}
        for t in trace.transitions
    ]
    return {
        "transitions": told,
        "alerts": [{"step": step, "name": alert.name, "reason": alert.reason} for step, alert in trace.alerts],
        "forgetting": [{"step": step, "bucket": bucket} for step, bucket in trace.alarms],
        "stop": trace.stop,
    }


def _csv(compared: Mapping[str, Compared]) -> str:
    """A row for each number; what never came has an empty value."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for recipe, one in compared.items():
        for seed, measured in one.measured().items():
            for measure, values in measured.items():
                writer.writerows([recipe, seed, measure, of, value] for of, value in values.items())
    return file.getvalue()
