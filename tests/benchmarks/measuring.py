"""Measuring: interleaved rounds, their medians and ratios, allocated bytes."""

import gc
import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

SEED = 7
K = TypeVar("K")

Turn = Callable[[], Mapping[str, float]]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over all rounds; an extrapolated one was scaled up from fewer prompts."""

    median: float
    min: float
    max: float
    extrapolated: bool = False

    def scaled(self, factor: float) -> "Spread":
        return Spread(self.median * factor, self.min * factor, self.max * factor, True)


def spread_of(values: Iterable[float]) -> Spread:
    found = list(values)
    return Spread(median(found), min(found), max(found))


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Of two contenders' figures round by round, so that what slows a whole round down does not count."""
    return spread_of(one / other for one, other in zip(over, under, strict=True))


def run_rounds(
    turns: Mapping[K, Turn], rounds: int, progress: Progress, warm_up: int = 0
) -> dict[K, dict[str, list[float]]]:
    """Every contender takes one turn in every round, in an order that is shuffled anew: drift hits all alike.

    What the rounds of the warm-up told is left out.
    """
    order = list(turns)
    rng = random.Random(SEED)
    found: dict[K, dict[str, list[float]]] = {key: {} for key in order}
    for number in range(-warm_up, rounds):
        rng.shuffle(order)
        for key in order:
            progress(f"round {number + 1} of {rounds}: {key}" if number >= 0 else f"warm-up: {key}")
            for what, value in turns[key]().items():
                if number >= 0:
                    found[key].setdefault(what, []).append(value)
    return found


def spreads(found: Mapping[K, Mapping[str, Iterable[float]]]) -> dict[K, dict[str, Spread]]:
    """Median, least and most of everything that was told in rounds."""
    return {key: {what: spread_of(values) for what, values in told.items()} for key, told in found.items()}


def timed(action: Callable[[], Any]) -> dict[str, float]:
    """Seconds of the clock and of the processor."""
    began, spent = time.perf_counter(), time.process_time()
    action()
    return {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - spent}


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


def said(text: str) -> None:
    """Progress that does not stand in the report."""
    print(text, file=sys.stderr, flush=True)
