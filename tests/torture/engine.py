"""The engine over many steps and prompts: nothing may grow but the metrics file, and that by a line a step."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from torture.engine_run import early_step
from torture.outcome import Record
from torture.processes import run
from torture.tools import require
from torture.work import Work

SCRIPT = Path(__file__).with_name("engine_run.py")
MOST = {"MB": 1.1, "state bytes": 1.05, "files": 1.0}  # late over early; what a step takes is told, and not judged
MOST_A_LINE = 1.5


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
        if late > most * early:
            failures.append(f"{what} grew from {early:,.4g} to {late:,.4g}, more than {most:g} times")
    a_step = [found["early metrics bytes"] / early_step(steps), found["late metrics bytes"] / steps]
    if a_step[1] > MOST_A_LINE * a_step[0]:
        failures.append(f"a line of the metrics file grew from {a_step[0]:,.0f} to {a_step[1]:,.0f} bytes")
    return failures
