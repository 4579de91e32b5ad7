"""Measuring: interleaved rounds, allocated bytes, saves; and the linear extrapolation of what is too slow to run."""

import gc
import os
import platform
import random
import resource
import tempfile
import tracemalloc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from contenders import CHOICE_LIMIT, SEED, Contender, Engine, Setup

WARM_UP = 30  # steps after which nearly every page of the per-prompt arrays at 10^7 has been touched once
SAVES = 5

Key = tuple[str, int]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds over all rounds; an extrapolated figure was scaled up from fewer prompts."""

    median: float
    min: float
    max: float
    extrapolated: bool = False

    def scaled(self, factor: float) -> "Spread":
        return Spread(self.median * factor, self.min * factor, self.max * factor, True)


def spread_of(seconds: Iterable[float]) -> Spread:
    values = list(seconds)
    return Spread(median(values), min(values), max(values))


def traced(action: Callable[[], Any]) -> tuple[Any, int, int]:
    """The action's result, the bytes that stay allocated after it, and the most it held at one time."""
    gc.collect()
    tracemalloc.start()
    try:
        result = action()
        gc.collect()
        current, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return result, current, peak


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


def run_rounds(contenders: Mapping[Key, Contender], rounds: int, progress: Progress) -> dict[Key, dict[str, Spread]]:
    """Every contender takes one turn in every round, in an order that is shuffled anew: drift hits all alike."""
    order = list(contenders)
    rng = random.Random(SEED)
    seconds: dict[Key, dict[str, list[float]]] = {key: {} for key in order}
    for number in range(rounds):
        rng.shuffle(order)
        for key in order:
            progress(f"round {number + 1}: {key[0]}, {key[1]:,} prompts")
            for what, value in contenders[key].turn().items():
                seconds[key].setdefault(what, []).append(value)
    return {key: {what: spread_of(values) for what, values in timed.items()} for key, timed in seconds.items()}


def extrapolated(times: Mapping[Key, dict[str, Spread]], name: str, sizes: Iterable[int]) -> dict[Key, Spread]:
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


def machine_facts() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def peak_rss() -> int:
    """The most memory that this process ever held, in bytes."""
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
