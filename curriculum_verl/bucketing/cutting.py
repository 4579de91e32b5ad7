"""From values to buckets: where the cuts are, and in which bucket a prompt belongs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.bucketing.facts import Facts
from curriculum_verl.bucketing.settings import ALWAYS, NEVER, Settings
from curriculum_verl.buckets import cut_positions
from curriculum_verl.errors import InputError

TIES = 10  # most frequent values that are told
PROBES = 1000  # a value that this part of all prompts share is found


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """The metric turned so that larger is harder; with a tie-break complex, the imaginary part breaking ties."""

    sign: float
    tie_sign: float | None

    @classmethod
    def of(cls, settings: Settings) -> "Axis":
        """The axis of the settings' metrics."""
        metric, tie = settings.find_metrics()
        return cls(metric.hardness(1.0), tie.hardness(1.0) if tie else None)

    def hardness(self, facts: Facts) -> NDArray[Any]:
        """The place of every prompt; 0.0 is added so that -0.0, which is equal, looks equal as well."""
        hardness = self.sign * facts["value"] + 0.0
        return hardness if self.tie_sign is None else hardness + 1j * (self.tie_sign * facts["tie"] + 0.0)

    def shown(self, hardness: complex) -> tuple[float, ...]:
        """A place as it is on the metrics' own axes."""
        place = complex(hardness)
        value = self.sign * place.real + 0.0
        return (value,) if self.tie_sign is None else (value, self.tie_sign * place.imag + 0.0)

    def named(self, hardness: complex) -> str:
        """What a message calls a place."""
        return " tie ".join(f"{value:.10g}" for value in self.shown(hardness))


@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """Buckets easiest first. A place equal to a cut is on its easy side, but with `harder_at_cut` on its hard side."""

    names: tuple[str, ...]
    axis: Axis
    places: NDArray[Any]
    harder_at_cut: bool
    always_apart: bool
    never_apart: bool

    def numbers(self, facts: Facts) -> NDArray[np.int16]:
        """The bucket of every prompt."""
        side: Any = "right" if self.harder_at_cut else "left"
        numbers = np.searchsorted(self.places, self.axis.hardness(facts), side=side) + self.always_apart
        if self.always_apart:
            numbers[facts["passes"] == facts["count"]] = 0
        if self.never_apart:
            numbers[facts["passes"] == 0] = len(self.names) - 1
        return numbers.astype(np.int16)


@dataclass(slots=True)
class Range:
    """What the prompts as a whole are like; the ends are on the metric's own axis."""

    low: float = np.inf
    high: float = -np.inf
    always: int = 0
    never: int = 0

    def add(self, facts: Facts) -> None:
        """Look at some prompts."""
        if len(facts):
            self.low = min(self.low, float(facts["value"].min()))
            self.high = max(self.high, float(facts["value"].max()))
            self.always += int((facts["passes"] == facts["count"]).sum())
            self.never += int((facts["passes"] == 0).sum())


def places_of(parts: Iterable[Facts], prompts: int, axis: Axis, apart: bool) -> tuple[NDArray[Any], Range]:
    """The places of all prompts, ascending, in one array; without the degenerate ones if those are kept apart."""
    places = np.empty(prompts, dtype=np.float64 if axis.tie_sign is None else np.complex128)
    filled, found = 0, Range()
    for facts in parts:
        found.add(facts)
        placed = facts[~degenerate(facts)] if apart else facts
        places[filled : filled + len(placed)] = axis.hardness(placed)
        filled += len(placed)
    places = places[:filled]
    places.sort()
    return places, found


def degenerate(facts: Facts) -> NDArray[np.bool_]:
    """Prompts that were never or always solved."""
    return np.asarray((facts["passes"] == 0) | (facts["passes"] == facts["count"]))


def cut(ordered: NDArray[Any], settings: Settings, axis: Axis, found: Range) -> Cuts:
    """The cuts for places in ascending order."""
    names = settings.bucket_names()
    apart = settings.split_degenerate
    always, never = found.always if apart else 0, found.never if apart else 0
    if not len(ordered):
        raise InputError(
            f"--split-degenerate: got {always:,} prompts always solved, {never:,} never and none between, so that "
            f"nothing is left for {', '.join(names)}; leave the flag out, or sample more responses"
        )
    if settings.thresholds is None:
        places = ordered[np.array(cut_positions(ordered, settings.count, axis.named), dtype=np.int64) - 1]
    else:
        places = np.sort(axis.sign * np.array(settings.thresholds) + 0.0)
    all_names = ((ALWAYS,) if always else ()) + names + ((NEVER,) if never else ())
    at_cut = settings.thresholds is not None and axis.sign > 0
    cuts = Cuts(all_names, axis, places, at_cut, bool(always), bool(never))
    if settings.thresholds is not None:
        _refuse_empty(cuts, names, ordered, axis)
    return cuts


def _refuse_empty(cuts: Cuts, names: tuple[str, ...], ordered: NDArray[Any], axis: Axis) -> None:
    side: Any = "left" if cuts.harder_at_cut else "right"
    edges = np.concatenate([[0], np.searchsorted(ordered, cuts.places, side=side), [len(ordered)]])
    counts = np.diff(edges)
    if (counts == 0).any():
        ends = sorted((axis.shown(ordered[0])[0], axis.shown(ordered[-1])[0]))
        held = ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))
        empty = ", ".join(name for name, count in zip(names, counts, strict=True) if not count)
        raise InputError(
            f"--thresholds: no prompt falls into {empty} ({held}); values run from {ends[0]:g} to {ends[1]:g}: move "
            "the thresholds, or leave them out for buckets of even size"
        )


def most_frequent(ordered: NDArray[Any], axis: Axis) -> list[tuple[float, int]]:
    """The most frequent values of the metric with their counts, as far as they are frequent enough to matter."""
    probes = np.unique(ordered[np.linspace(0, len(ordered) - 1, min(PROBES, len(ordered))).astype(np.int64)].real)
    first, last = probes, probes
    if axis.tie_sign is not None:
        first, last = (np.array([complex(value, tie) for value in probes]) for tie in (-np.inf, np.inf))
    counts = np.searchsorted(ordered, last, side="right") - np.searchsorted(ordered, first, side="left")
    best = np.argsort(-counts, kind="stable")[:TIES]
    return [(axis.sign * float(probes[b]) + 0.0, int(counts[b])) for b in best if counts[b] > 1]
