"""The report of the pipeline's benchmark: Markdown tables, skipped contenders, goals; and the same as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from measuring import Spread
from report import Goal, number, render_goals, shown
from report import as_json as goals_as_json
from report import table as markdown

from .contenders import CAT, COPY, OURS_PARQUET
from .goals import MB

SHOWN = {  # tasks: the title of a table, and what the times are multiples of
    "bucketing": ("Bucketing", COPY, CAT),
    "growth": ("Bucketing many short rows, for the memory that a row takes after buffers have filled up",),
    "preprocessing": ("Preprocessing the buckets to parquet", OURS_PARQUET),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One contender; figures are seconds, cpu_seconds and peak_bytes."""

    figures: Mapping[str, Spread]
    found: str


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was measured."""

    rows: int
    bytes: int
    rounds: int
    cold: bool
    measured: dict[str, dict[str, Measured]]  # by task
    skipped: list[str]
    goals: list[Goal]


def render(results: Results) -> str:
    """The whole report as text."""
    parts = [_method(results)]
    for task, (title, *bases) in SHOWN.items():
        parts += [f"### {title}", table(results.measured[task], bases)]
    parts += ["\n".join(f"- {line}" for line in results.skipped), render_goals(results.goals)]
    return "\n\n".join(filter(None, parts))


def _method(results: Results) -> str:
    return (
        f"{results.rows:,} rows, {results.bytes / MB:,.0f} MB; {'cold' if results.cold else 'warm'} page cache; "
        f"medians (least - most) of {results.rounds} shuffled rounds, whole processes."
    )


def table(measured: Mapping[str, Measured], bases: Sequence[str]) -> str:
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
        for task, measured in results.measured.items()
        for name, one in measured.items()
    ]
    settings = {"rows": results.rows, "bytes": results.bytes, "rounds": results.rounds, "cold": results.cold}
    return {
        "settings": settings,
        "results": entries,
        "skipped": results.skipped,
        "goals": goals_as_json(results.goals),
    }
