"""The goals that were set for the engine, and whether a run met them."""

from collections.abc import Iterator, Mapping
from typing import Any

from measuring import Spread
from report import Goal

from .contenders import ARGSORT, PYTHON_CHOICES, SETUPS
from .rounds import Key

MOST_GROWTH = 2.0
LEAST_TIMES_CHEAPER = {ARGSORT: 500.0} | dict.fromkeys(PYTHON_CHOICES, 1e5)
MOST_BYTES = 16.0
MOST_SAVE_MS = 1000.0
MOST_BYTE_GROWTH = 2.0  # "in proportion to the bytes": a saved byte costs at most so much more than one size before


def find_goals(
    sizes: list[int],
    times: Mapping[Key, Mapping[str, Spread]],
    memory: Mapping[Key, Mapping[str, float]],
    saves: Mapping[Key, Mapping[str, Any]],
) -> list[Goal]:
    """Every goal for every policy, at the largest number of prompts."""
    small, large = sizes[0], sizes[-1]
    found = []
    for setup in SETUPS:
        name = setup.name
        draw = times[name, large]["draw"].median
        growth = draw / times[name, small]["draw"].median
        found.append(
            Goal(
                f"drawing at {large:,} prompts against {small:,}: cost",
                name,
                growth,
                MOST_GROWTH,
                at_most=True,
                unit="x",
            )
        )
        for peer, least in LEAST_TIMES_CHEAPER.items():
            spread = times[peer, large]["draw"]
            note = "~ (extrapolated)" if spread.extrapolated else ""
            goal = f"drawing at {large:,} prompts: times cheaper than {peer}"
            found.append(Goal(goal, name, spread.median / draw, least, at_most=False, unit="x", note=note))
        per_prompt = memory[name, large]["bytes_per_prompt"]
        found.append(Goal("memory, index arrays included", name, per_prompt, MOST_BYTES, at_most=True, unit="B/prompt"))
        found.extend(_save_goals(name, setup.per_prompt_state, sizes, saves))
    return [goal for title in dict.fromkeys(goal.goal for goal in found) for goal in found if goal.goal == title]


def _save_goals(
    name: str, per_prompt_state: bool, sizes: list[int], saves: Mapping[Key, Mapping[str, Any]]
) -> Iterator[Goal]:
    large = saves[name, sizes[-1]]
    seconds = large["seconds"].median
    if not per_prompt_state:
        goal = f"saving at {sizes[-1]:,} prompts, no state per prompt"
        yield Goal(goal, name, seconds * 1e3, MOST_SAVE_MS, at_most=True, unit="ms", note=f"{large['bytes']:,} bytes")
    elif len(sizes) > 1:
        before = saves[name, sizes[-2]]
        growth = (seconds / large["bytes"]) / (before["seconds"].median / before["bytes"])
        goal = f"saving at {sizes[-1]:,} prompts, state per prompt: cost of a byte against {sizes[-2]:,}"
        note = f"{large['bytes'] / 1e6:,.0f} MB in {seconds:.2f} s: {large['bytes'] / 1e6 / seconds:,.0f} MB/s"
        yield Goal(goal, name, growth, MOST_BYTE_GROWTH, at_most=True, unit="x", note=note)
