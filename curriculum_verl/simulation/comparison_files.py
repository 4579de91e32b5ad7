"""The files of a comparison: everything as JSON, the numbers as CSV, a picture."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curriculum_verl.simulation.comparing import Compared
from curriculum_verl.simulation.run import Trace
from curriculum_verl.words import no_formula

NAME = "comparison.json"
COLUMNS = ("recipe", "seed", "measure", "of", "value")


def write(compared: Mapping[str, Compared], folder: Path) -> list[str]:
    """Write all of them into a new folder; returns their names."""
    from curriculum_verl.simulation.comparison_picture import draw_comparison

    folder.mkdir()
    (folder / NAME).write_text(json.dumps(_document(compared), indent=1) + "\n", encoding="utf-8")
    (folder / "comparison.csv").write_text(_csv(compared), encoding="utf-8", newline="")
    draw_comparison(compared, folder / "comparison.png")
    return [NAME, "comparison.csv", "comparison.png"]


def _document(compared: Mapping[str, Compared]) -> dict[str, Any]:
    """Everything by recipe and seed, with every transition."""
    return {
        "recipes": [
            {
                "recipe": recipe,
                "setup": one.setup.values(),
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
        "warnings": list(trace.warnings),
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
                rows = ((recipe, seed, measure, of, value) for of, value in values.items())
                writer.writerows([no_formula(cell) for cell in row] for row in rows)
    return file.getvalue()
