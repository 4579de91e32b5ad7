"""What coherence, curiosity and normalisation can be told; every weight and limit is explicit."""

from dataclasses import dataclass, field, fields
from typing import Literal

from curriculum_verl.errors import ConfigError, unknown_name
from curriculum_verl.schema import Count, NotNegative, OpenShare, Positive, Share

_WEIGHTS = {
    "TRACK_OBJECT": 3.0,
    "SEGMENT_OBJECT_AT": 3.0,
    "GET_PROPERTIES": 2.0,
    "ZOOM_IN": 2.0,
    "READ_TEXT": 1.0,
    "THINK": 0.5,
}
_NEEDS = {"TRACK_OBJECT": ("SEGMENT_OBJECT_AT",), "GET_PROPERTIES": ("SEGMENT_OBJECT_AT",)}
_MARKERS = (
    "wait",
    "but wait",
    "oh wait",
    "no wait",
    "no, wait",
    "hold on",
    "hmm",
    "actually,",
    "on second thought",
    "scratch that",
    "let me reconsider",
    "let me rethink",
    "let me recheck",
    "let me re-check",
    "let me start over",
    "let me try again",
    "i made a mistake",
    "that's wrong",
    "that is wrong",
    "that's not right",
)


@dataclass(frozen=True, slots=True, eq=False)
class Operations:
    """The operations that responses may call, each with its weight; a call of any other name is malformed.

    Equal only to itself: so it can be a key by which what was read is remembered. `thoughts` are operations that say
    something instead of using a tool. `needs` names, for an operation, those of which one must have come before it.
    """

    weights: dict[str, NotNegative] = field(default_factory=lambda: dict(_WEIGHTS))
    thoughts: tuple[str, ...] = ("THINK",)
    needs: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(_NEEDS))

    def __post_init__(self) -> None:
        """With other names than the default ones, what the defaults say of missing names says nothing."""
        if self.needs == _NEEDS:
            there = {name: tuple(n for n in of if n in self.weights) for name, of in _NEEDS.items()}
            object.__setattr__(self, "needs", {n: of for n, of in there.items() if n in self.weights and of})
        if self.thoughts == ("THINK",):
            object.__setattr__(self, "thoughts", tuple(name for name in self.thoughts if name in self.weights))
        named = {*self.thoughts, *self.needs, *(name for needed in self.needs.values() for name in needed)}
        problems = [unknown_name("operation", name, self.weights) for name in sorted(named - self.weights.keys())]
        problems += [
            f"operation {name!r}: got a name with a bracket or blanks, expected one word"
            for name in self.weights
            if "(" in name or name.split() != [name]
        ]
        if problems:
            raise ConfigError(problems, "operations")


@dataclass(frozen=True, slots=True)
class Ramp:
    """A share turned into a score: 1 up to `free`, -1 from `limit` on, straight between them."""

    free: Share
    limit: Share

    def __post_init__(self) -> None:
        if not self.free < self.limit:
            raise ConfigError([f"free: got {self.free:g}, expected less than limit, {self.limit:g}"], "ramp")

    def score(self, share: float) -> float:
        """What a share is worth."""
        return 1.0 - 2.0 * min(1.0, max(0.0, (share - self.free) / (self.limit - self.free)))


@dataclass(frozen=True, slots=True)
class CoherenceWeights:
    """What each part counts in the weighted mean; at least one is above 0."""

    repetition: NotNegative = 1.0
    loops: NotNegative = 1.0
    progress: NotNegative = 1.0
    backtracking: NotNegative = 0.5
    calls: NotNegative = 1.0
    order: NotNegative = 0.5

    def __post_init__(self) -> None:
        if not self.total() > 0:
            raise ConfigError(["got only zeros, expected at least one weight above 0"], "coherence weights")

    def total(self) -> float:
        """The sum by which the weighted sum is divided."""
        return float(sum(getattr(self, part.name) for part in fields(self)))


@dataclass(frozen=True, slots=True)
class CoherenceSettings:
    """`window` is the length of the n-grams in bytes; consecutive steps are compared if both have `least_step` bytes
    and progress when their similarity is from `same_topic` to `same_step`; `embed` is package.module:function.
    """

    weights: CoherenceWeights = CoherenceWeights()
    window: Literal[16, 24, 32, 48, 64] = 24
    repetition: Ramp = Ramp(0.15, 0.6)
    loops: Ramp = Ramp(0.05, 0.5)
    backtracking: Ramp = Ramp(0.15, 0.5)
    markers: tuple[str, ...] = _MARKERS
    least_step: Count = 24
    same_topic: Share = 0.03
    same_step: Share = 0.8
    embed: str | None = None

    def __post_init__(self) -> None:
        if not self.same_topic < self.same_step:
            problem = f"same_topic: got {self.same_topic:g}, expected less than same_step, {self.same_step:g}"
            raise ConfigError([problem], "coherence")


@dataclass(frozen=True, slots=True)
class CuriositySettings:
    """`target` is the rate of tool use in a group under which using a tool earns a bonus; beyond `most_operations` a
    response pays for each; counts of states fade by `decay` a step, and at most `most_states` are kept.
    """

    target: Share = 0.3
    most_operations: Count = 6
    rate_weight: NotNegative = 1.0
    excess_weight: NotNegative = 0.05
    novelty_weight: NotNegative = 0.1
    decay: OpenShare = 0.99
    most_states: Count = 20_000
    digits: Count = 2


@dataclass(frozen=True, slots=True)
class Normalisation:
    """`clip` keeps values within `low` to `high`; `z_score` takes mean and deviation of the last `memory` responses
    and keeps the result within `most` deviations.
    """

    kind: Literal["none", "clip", "z_score"] = "none"
    low: float = -1.0
    high: float = 1.0
    memory: Count = 10_000
    most: Positive = 5.0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigError([f"low: got {self.low:g}, expected less than high, {self.high:g}"], "normalisation")
