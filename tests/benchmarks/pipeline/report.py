"""The report of the pipeline's benchmark: Markdown tables, skipped contenders, goals; and the same as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from goals import Goal
from measuring import Spread
from report import render_goals

from .contenders import CAT, COPY, OURS_PARQUET
from .goals import MB


@dataclass(frozen=True, slots=True)
class Measured:
    """One contender; figures are seconds, cpu_seconds and peak_bytes."""

    figures: Mapping[str, Spread]
    turns: int
    found: str


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was measured, by contender."""

    rows: int
    bytes: int
    rounds: int
    cold: bool
    machine: dict[str, Any]
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
    return "\n\n".join(part for part in (header(results), *titles, render_goals(results.goals)) if part)


def header(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    load = f"load {machine['load_before']:.1f} before and {machine['load_after']:.1f} after"
    return (
        f"{results.rows:,} rows, {results.bytes / MB:,.0f} MB; {'cold' if results.cold else 'warm'} page cache; "
        f"medians (min - max) of {results.rounds} shuffled rounds, whole processes\n"
        f"{machine['cpu']}, {machine['cores']} cores, {machine['platform']}, Python {machine['python']}, {load}\n"
        f"{versions}"
    )


def table(measured: Mapping[str, Measured], bases: tuple[str, ...]) -> str:
    """Contenders down; times as multiples of the bases."""
    titles = ["", "seconds", *(f"x `{base}`" for base in bases), "processor s", "peak MB", "turns", "verified"]
    lines = [_line(titles), _line(["---", *["---:"] * (len(titles) - 2), "---"])]
    for name, one in measured.items():
        seconds, peak = one.figures["seconds"], one.figures.get("peak_bytes")
        ratios = [f"{seconds.median / measured[base].figures['seconds'].median:.2f}" for base in bases]
        times = [f"{seconds.median:.2f} ({seconds.min:.2f} - {seconds.max:.2f})", *ratios]
        cpu = f"{one.figures['cpu_seconds'].median:.2f}"
        memory = f"{peak.median / MB:,.0f}" if peak else "-"
        lines.append(_line([f"`{name}`" if "cat" in name else name, *times, cpu, memory, str(one.turns), one.found]))
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def as_json(results: Results) -> dict[str, Any]:
    """Seconds and bytes with minimum and maximum."""
    entries = [
        {
            "task": task,
            "contender": name,
            **{what: asdict(spread) for what, spread in one.figures.items()},
            "turns": one.turns,
            "verified": one.found,
        }
        for task, measured in (("bucketing", results.bucketing), ("preprocessing", results.preprocessing))
        for name, one in measured.items()
    ]
    settings = {"rows": results.rows, "bytes": results.bytes, "rounds": results.rounds, "cold": results.cold}
    return {
        "machine": results.machine,
        "settings": settings,
        "results": entries,
        "skipped": results.skipped,
        "goals": [asdict(goal) | {"met": goal.met} for goal in results.goals],
    }
