"""The report: tables by size, the goals with their verdicts, and the same as JSON."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from contenders import BATCH, CHOICE_LIMIT, CHOICES, PEERS, RESPONSES, SETUPS, STEPS
from goals import Goal, verdict
from measuring import SAVES, WARM_UP, Key, Spread

Cell = Callable[[Key], str]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was measured, by contender and number of prompts."""

    sizes: list[int]
    rounds: int
    machine: dict[str, Any]
    times: dict[Key, dict[str, Spread]]
    memory: dict[Key, dict[str, float]]
    saves: dict[Key, dict[str, Any]]
    goals: list[Goal]


def render(results: Results) -> str:
    """The whole report as text."""
    engines = [setup.name for setup in SETUPS]
    times, memory, saves = results.times, results.memory, results.saves
    tables: list[tuple[str, list[str], Cell]] = [
        (f"draw {BATCH:,} prompts: ms", [*engines, *PEERS], lambda key: milliseconds(times[key]["draw"])),
        (f"observe {BATCH:,} groups of {RESPONSES}: ms", engines, lambda key: milliseconds(times[key]["observe"])),
        (
            "memory, index arrays included: bytes a prompt",
            engines,
            lambda key: f"{memory[key]['bytes_per_prompt']:.2f}",
        ),
        ("most allocated during a draw: KiB", engines, lambda key: f"{memory[key]['draw_peak_bytes'] / 1024:,.0f}"),
        (
            "most allocated during an observation: KiB",
            engines,
            lambda key: f"{memory[key]['observe_peak_bytes'] / 1024:,.0f}",
        ),
        ("save: ms", engines, lambda key: milliseconds(saves[key]["seconds"])),
        ("save: bytes on disk", engines, lambda key: f"{saves[key]['bytes']:,}"),
    ]
    parts = [header(results), *(table(title, rows, results.sizes, cell) for title, rows, cell in tables)]
    return "\n\n".join([*parts, render_goals(results.goals)])


def header(results: Results) -> str:
    machine = results.machine
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['platform']}, Python {machine['python']}, "
        f"NumPy {machine['numpy']}\n"
        f"medians of {results.rounds} shuffled rounds over all contenders and sizes; an engine's turn is the mean of "
        f"{STEPS} steps\n"
        f"after {WARM_UP} to warm up, a weighted choice's {CHOICES} single draws scaled to {BATCH:,}; "
        f"~ extrapolated in proportion from {CHOICE_LIMIT:,} prompts\n"
        f"saves: medians of {SAVES}\n"
        f"most memory of the whole process: {machine['peak_rss_bytes'] / 2**20:,.0f} MiB"
    )


def table(title: str, rows: list[str], sizes: list[int], cell: Cell) -> str:
    """Contenders down, numbers of prompts across."""
    lines = [f"{title:<48}" + "".join(f"{size:>15,}" for size in sizes)]
    lines += [f"  {row:<46}" + "".join(f"{cell((row, size)):>15}" for size in sizes) for row in rows]
    return "\n".join(lines)


def milliseconds(spread: Spread) -> str:
    value = spread.median * 1e3
    digits = 2 if value < 100 else 0
    return f"{'~' if spread.extrapolated else ''}{value:,.{digits}f}"


def render_goals(goals: list[Goal]) -> str:
    """Goals one under the other, a line for every contender."""
    blocks = []
    for title, members in groupby(goals, key=lambda goal: goal.goal):
        blocks.append("\n".join([title, *(verdict(goal) for goal in members)]))
    met = sum(goal.met for goal in goals)
    return "\n\n".join(["GOALS", *blocks, f"{met} of {len(goals)} met"])


def as_json(results: Results) -> dict[str, Any]:
    """One entry for every contender and size; times in seconds with minimum and maximum."""
    entries = []
    for name, size in results.times:
        if size not in results.sizes:
            continue  # a weighted choice that was only measured to extrapolate from
        key = (name, size)
        save = results.saves.get(key)
        entries.append(
            {
                "contender": name,
                "prompts": size,
                **{what: asdict(spread) for what, spread in results.times[key].items()},
                "memory": results.memory.get(key),
                "save": None if save is None else {**save, "seconds": asdict(save["seconds"])},
            }
        )
    return {
        "machine": results.machine,
        "settings": {"batch": BATCH, "responses": RESPONSES, "rounds": results.rounds, "sizes": results.sizes},
        "results": entries,
        "goals": [asdict(goal) | {"met": goal.met} for goal in results.goals],
    }
