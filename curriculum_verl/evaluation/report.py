"""What an evaluation found, and its files: JSON with everything, CSV, a chart; complete and together, or not there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from curriculum_verl.evaluation.chart import draw
from curriculum_verl.evaluation.figures import Change, Figures
from curriculum_verl.evaluation.tables import frame
from curriculum_verl.outputs import publish

VERSION = 1
KIND = "evaluation"


@dataclass(frozen=True, slots=True)
class Report:
    """`facts` say how the figures came about, `models` what each model is; figures and changes are in order."""

    facts: dict[str, Any]
    models: list[dict[str, Any]]
    figures: list[Figures]
    changes: list[Change]

    @property
    def names(self) -> list[str]:
        """The models' names, in the order in which they were given."""
        return [model["name"] for model in self.models]

    def document(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "version": VERSION,
            "kind": KIND,
            **self.facts,
            "models": self.models,
            "figures": [_plain(figures) for figures in self.figures],
            "changes": [_plain(change) | {"verdict": change.verdict} for change in self.changes],
        }


def files_of(out: Path) -> tuple[str, str, str]:
    """The names of JSON, CSV and chart."""
    return out.name, f"{out.stem}.csv", f"{out.stem}.png"


def write(report: Report, out: Path, aside: Path) -> None:
    """Write the files in a folder of one's own, then put them in place, the JSON last."""
    document, table, chart = files_of(out)
    aside.mkdir()
    (aside / document).write_bytes(msgspec.json.format(msgspec.json.encode(report.document()), indent=2) + b"\n")
    frame(report.figures, report.changes).to_csv(aside / table, index=False)
    (aside / chart).write_bytes(draw(report.names, report.figures, report.changes))
    publish(aside, out.parent, document)


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value, str_keys=True)
    return plain
