"""The report on the engine: tables by number of prompts, the goals, and the same as JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from machine import peak_memory
from measuring import Spread
from report import Goal, render_goals, shown, table
from report import as_json as goals_as_json

from .contenders import BATCH, CHOICE_LIMIT, CHOICES, PEERS, RESPONSES, SETUPS, STEPS
from .rounds import SAVES, WARM_UP, Key

Cell = Callable[[Key], str]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was measured, by contender and number of prompts."""

    sizes: Sequence[int]
    rounds: int
    times: Mapping[Key, Mapping[str, Spread]]
    memory: Mapping[Key, Mapping[str, float]]
    saves: Mapping[Key, Mapping[str, Any]]
    goals: Sequence[Goal]


def render(results: Results) -> str:
    """The whole report as text."""
    engines = [setup.name for setup in SETUPS]
    times, memory, saves = results.times, results.memory, results.saves
    observing = [*engines, *(peer for peer in PEERS if "observe" in times[peer, results.sizes[0]])]

    def observed(key: Key) -> str:
        return shown(times[key]["observe"], 1e3) if "observe" in times[key] else "-"

    tables: list[tuple[str, list[str], Cell]] = [
        (f"ms to draw {BATCH:,} prompts", [*engines, *PEERS], lambda key: shown(times[key]["draw"], 1e3)),
        (f"ms to observe {BATCH:,} groups of {RESPONSES}", observing, observed),
        ("bytes a prompt, index included", engines, lambda key: f"{memory[key]['bytes_per_prompt']:.2f}"),
        ("KiB allocated at most by a draw", engines, lambda key: f"{memory[key]['draw_peak_bytes'] / 1024:,.0f}"),
        (
            "KiB allocated at most by an observation",
            engines,
            lambda key: f"{memory[key]['observe_peak_bytes'] / 1024:,.0f}",
        ),
        ("ms to save", engines, lambda key: shown(saves[key]["seconds"], 1e3)),
        ("bytes saved", engines, lambda key: f"{saves[key]['bytes']:,}"),
    ]
    parts = [
        _method(results.rounds),
        *(_by_size(title, names, results.sizes, cell) for title, names, cell in tables),
        render_goals(results.goals),
    ]
    return "\n\n".join(parts)


def _method(rounds: int) -> str:
    return (
        f"Medians (least - most) of {rounds} shuffled rounds over all contenders and numbers of prompts; of saves, "
        f"{SAVES} one after the other.\nAn engine's turn is the mean of {STEPS} steps, after {WARM_UP} to warm up. "
        f"A weighted choice's {CHOICES} single draws are scaled to {BATCH:,};\n~ stands before what is extrapolated "
        f"in proportion from {CHOICE_LIMIT:,} prompts. {peak_memory()}"
    )


def _by_size(title: str, names: Sequence[str], sizes: Sequence[int], cell: Cell) -> str:
    """Contenders down, numbers of prompts across."""
    rows = ([name, *(cell((name, size)) for size in sizes)] for name in names)
    return table([title, *(f"{size:,} prompts" for size in sizes)], rows)


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
        "settings": {"batch": BATCH, "responses": RESPONSES, "rounds": results.rounds, "sizes": list(results.sizes)},
        "results": entries,
        "goals": goals_as_json(results.goals),
    }
