"""The engine over many steps and prompts: nothing may grow but the metrics file, and that by a line a step."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from torture.outcome import Record
from torture.processes import run
from torture.tools import require
from torture.work import Work

SCRIPT = Path(__file__).with_name("engine_run.py")
MOST = {"MB": 1.1, "state bytes": 1.05, "files": 1.0, "ms a step": 1.5, "ms a save": 1.5}  # late over early
LEAST_MS = 0.5  # what is shorter is noise


def next_run(work: Work, records: Sequence[Record]) -> Record | None:
    if records:
        return None
    place = work.fresh("engine")
    words = [sys.executable, str(SCRIPT), str(place), *map(str, (work.steps, work.prompts, work.seed))]
    done = require(run(words, place), "the long run of the engine")
    found = json.loads(done.said.strip().splitlines()[-1])
    return Record(
        f"{work.steps:,} steps over {work.prompts:,} prompts", figures=found, failures=tuple(grown(found, work.steps))
    )


def grown(found: Mapping[str, float], steps: int) -> list[str]:
    """What grew by more than it may, in words."""
    failures = []
    for what, most in MOST.items():
        early, late = found[f"early {what}"], found[f"late {what}"]
        if late > most * max(early, LEAST_MS if "ms" in what else 0.0):
            failures.append(f"{what} grew from {early:,.4g} to {late:,.4g}, more than {most:g} times")
    a_step = [
        found[f"{when} metrics bytes"] / (steps if when == "late" else max(1, steps // 10))
        for when in ("early", "late")
    ]
    if a_step[1] > 1.5 * a_step[0]:
        failures.append(f"a line of the metrics file grew from {a_step[0]:,.0f} to {a_step[1]:,.0f} bytes")
    return failures
