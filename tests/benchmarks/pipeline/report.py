"""The report of the pipeline's benchmark: Markdown tables, skipped contenders, goals; and the same as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from measuring import Spread
from report import Goal, number, render_goals, shown
from report import as_json as goals_as_json
from report import table as markdown

from .contenders import CAT, COPY, OURS_PARQUET
from .goals import MB


@dataclass(frozen=True, slots=True)
class Measured:
    """One contender; figures are seconds, cpu_seconds and peak_bytes."""

    figures: Mapping[str, Spread]
    found: str


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was measured, by contender."""

    rows: int
    bytes: int
    rounds: int
    cold: bool
    bucketing: dict[str, Measured]
    preprocessing: dict[str, Measured]
    skipped: list[str]
    goals: list[Goal]


def render(results: Results) -> str:
    """The whole report as text."""
    bucketing = table(results.bucketing, (COPY, CAT))
    preprocessing = table(results.preprocessing, (OURS_PARQUET,))
    skipped = "\n".join(f"- {line}" for line in results.skipped)
    titles = ("### Bucketing", bucketing, "### Preprocessing the buckets to parquet", preprocessing, skipped)
    return "\n\n".join(part for part in (_method(results), *titles, render_goals(results.goals)) if part)


def _method(results: Results) -> str:
    return (
        f"{results.rows:,} rows, {results.bytes / MB:,.0f} MB; {'cold' if results.cold else 'warm'} page cache; "
        f"medians (least - most) of {results.rounds} shuffled rounds, whole processes."
    )


def table(measured: Mapping[str, Measured], bases: tuple[str, ...]) -> str:
    """Contenders down; times as multiples of the bases."""
    titles = ["contender", "seconds", *(f"x {_name(base)}" for base in bases), "processor s", "peak MB", "verified"]
    lines = []
    for name, one in measured.items():
        seconds, peak = one.figures["seconds"], one.figures.get("peak_bytes")
        ratios = [number(seconds.median / measured[base].figures["seconds"].median) for base in bases]
        memory = f"{peak.median / MB:,.0f}" if peak else "-"
        cpu = number(one.figures["cpu_seconds"].median)
        lines.append([_name(name), shown(seconds), *ratios, cpu, memory, one.found])
    return markdown(titles, lines, words=(0, len(titles) - 1))


def _name(contender: str) -> str:
    return f"`{contender}`" if "cat" in contender else contender


def as_json(results: Results) -> dict[str, Any]:
    """Seconds and bytes with minimum and maximum."""
    entries = [
        {
            "task": task,
            "contender": name,
            **{what: asdict(spread) for what, spread in one.figures.items()},
            "verified": one.found,
        }
        for task, measured in (("bucketing", results.bucketing), ("preprocessing", results.preprocessing))
        for name, one in measured.items()
    ]
    settings = {"rows": results.rows, "bytes": results.bytes, "rounds": results.rounds, "cold": results.cold}
    return {
        "settings": settings,
        "results": entries,
        "skipped": results.skipped,
        "goals": goals_as_json(results.goals),
    }
