"""The whole measurement: engines that have run for a while, the peers, shuffled rounds over all, and saves."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from measuring import Progress, Spread, run_rounds, spread_of, spreads, traced

from .contenders import CHOICE_LIMIT, CHOICES_OVER_ALL, SETUPS, Engine, Setup, peer_contenders

WARM_UP = 30  # steps after which nearly every page of the per-prompt arrays at 10^7 has been touched once
SAVES = 5

Key = tuple[str, int]
Times = dict[Key, dict[str, Spread]]


def measure(
    sizes: list[int], rounds: int, progress: Progress
) -> tuple[Times, dict[Key, dict[str, float]], dict[Key, dict[str, Any]]]:
    """Times, memory and saves, by contender and number of prompts."""
    engines, memory, saves = {}, {}, {}
    for setup, size in [(setup, size) for size in sizes for setup in SETUPS]:
        progress(f"building {setup.name}, {size:,} prompts")
        engines[setup.name, size], memory[setup.name, size] = prepare(setup, size)
    # All sizes stay in memory (about 40 bytes a prompt in all), so that even sizes are compared within a round.
    contenders = {**engines, **peer_contenders(sizes)}
    times = spreads(run_rounds({key: one.turn for key, one in contenders.items()}, rounds, progress))
    for key, engine in engines.items():
        progress(f"saving {key[0]}, {key[1]:,} prompts")
        saves[key] = measure_save(engine)
    for peer in CHOICES_OVER_ALL:
        for key, spread in extrapolated(times, peer, sizes).items():
            times[key] = times.get(key, {}) | {"draw": spread}
    return times, memory, saves


def prepare(setup: Setup, prompts: int) -> tuple[Engine, dict[str, float]]:
    """An engine that has run for a while, and what it allocates."""
    engine, kept, building = traced(lambda: Engine(setup, prompts))
    for _ in range(WARM_UP):
        engine.step()
    drawn, _, draw = traced(lambda: engine.curriculum.draw(len(engine.scores())))
    scores = engine.scores()
    _, _, observe = traced(lambda: engine.curriculum.observe(engine.curriculum.step + 1, drawn.prompts, scores))
    memory = {
        "bytes": kept,
        "bytes_per_prompt": kept / prompts,
        "build_peak_bytes": building,
        "draw_peak_bytes": draw,
        "observe_peak_bytes": observe,
    }
    return engine, memory


def extrapolated(times: Mapping[Key, Mapping[str, Spread]], name: str, sizes: Iterable[int]) -> dict[Key, Spread]:
    """A weighted choice at every size: measured up to the limit, beyond it in proportion to the prompts."""
    result = {}
    for size in sizes:
        measured = min(size, CHOICE_LIMIT)
        spread = times[name, measured]["draw"]
        result[name, size] = spread if measured == size else spread.scaled(size / measured)
    return result


def measure_save(engine: Engine) -> dict[str, Any]:
    """Time, bytes and memory of saving; into a folder of its own, on the disk where temporary files go."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [engine.save(Path(folder)) for _ in range(SAVES)]
        _, _, peak = traced(lambda: engine.curriculum.save(Path(folder) / "state.json"))
    return {"seconds": spread_of(seconds for seconds, _ in runs), "bytes": runs[-1][1], "peak_bytes": peak}
