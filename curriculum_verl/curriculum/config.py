"""The `curriculum:` block as frozen dataclasses; what a field accepts stands in its annotation."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from curriculum_verl.schema import (
    Bounds,
    Count,
    Name,
    NotNegative,
    NotPositive,
    OpenShare,
    PartShare,
    Positive,
    Share,
    Whole,
)

MIX_TOLERANCE = 1e-3  # how far a mix may be from summing to 1; it is then scaled to exactly 1
BUILT_IN_COMPONENTS = ("final", "coherence", "curiosity")
"""Reward components that need no entry under `components`."""


@dataclass(frozen=True, slots=True)
class Plateau:
    """The least-squares slope over the last `evals` evaluations is below `slope_below`, `patience` times in a row."""

    evals: Annotated[int, Bounds(at_least=2)]
    slope_below: float = 0.001
    patience: Count = 1


@dataclass(frozen=True, slots=True)
class Patience:
    """No improvement by more than `min_delta` for `evals` evaluations."""

    evals: Count
    min_delta: NotNegative = 0.0
    mode: Literal["max", "min"] = "max"


@dataclass(frozen=True, slots=True)
class MetricCondition:
    """A test on one metric, averaged over its last `window` values of the stage; exactly one of the tests is given."""

    metric: Name
    window: Count = 1
    above: float | None = None
    below: float | None = None
    at_least: float | None = None
    confident_above: OpenShare | None = None
    confidence: Annotated[float, Bounds(at_least=0.5, below=1)] = 0.95
    plateau: Plateau | None = None
    patience: Patience | None = None


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Met when one member is met."""

    members: tuple["ConditionConfig", ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Met when every member is met."""

    members: tuple["ConditionConfig", ...]


ConditionConfig = MetricCondition | AnyOf | AllOf


def metric_conditions(condition: ConditionConfig | None) -> Iterator[MetricCondition]:
    """All single conditions of a condition, however nested."""
    if isinstance(condition, MetricCondition):
        yield condition
    elif condition is not None:
        for member in condition.members:
            yield from metric_conditions(member)


@dataclass(frozen=True, slots=True)
class AlertConfig:
    """A condition that tells somebody and changes nothing; while it stays met, again every `repeat` steps."""

    name: Name
    condition: ConditionConfig
    repeat: Count | None = None


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """A policy's name, or a dotted path to a user's own, and its parameters."""

    name: str = "mixture"
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the curriculum. Components without a weight weigh 0; a stage without an exit is the last."""

    name: Name
    mix: dict[str, Share]
    rewards: dict[str, float] = field(default_factory=lambda: {"final": 1.0})
    exit: ConditionConfig | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """When the exit of a stage is looked at, and what it takes to advance.

    `min_performance` is the least validation score on the present mix; `validate_now` validates at once and takes the
    advance back if the score drops beyond the rollback threshold.
    """

    check_every: Count = 1
    min_performance: float | None = None
    validate_now: bool = False


@dataclass(frozen=True, slots=True)
class Rollback:
    """What a drop (score after minus score before) below `threshold` costs.

    `baseline` says on which mix the score before was taken: on the stage that was left (a harder mix then counts as
    part of the drop), or on the stage that was entered (like for like; not with `validate_now`, where both are the
    same weights).
    """

    threshold: NotPositive = -0.05
    restore: Literal["data", "weights"] = "data"
    cooldown: Whole = 0
    interval_factor: Annotated[float, Bounds(at_least=1, at_most=100)] = 2.0
    baseline: Literal["old_mix", "new_mix"] = "old_mix"


@dataclass(frozen=True, slots=True)
class Probation:
    """After an advance the buckets of the stage before are watched for `evals` evaluations.

    One that falls by more than `threshold` (by default the rollback's) is replayed more, by `replay_step`, or the
    advance is rolled back.
    """

    evals: Count = 3
    threshold: NotPositive | None = None
    action: Literal["replay", "rollback"] = "replay"
    replay_step: Share = 0.1


@dataclass(frozen=True, slots=True)
class AdmissionConfig:
    """Skip prompts whose groups had no variance; see curriculum_verl.curriculum.admission for the rule."""

    retry_after: Positive = 20.0
    min_chance: OpenShare = 0.05


@dataclass(frozen=True, slots=True)
class CurriculumConfig:
    """The whole block."""

    stages: tuple[Stage, ...]
    data: str | None = None
    seed: int = 0
    policy: PolicyConfig = PolicyConfig()
    pass_threshold: float = 0.5
    components: dict[str, Name] = field(default_factory=dict)
    derived: dict[str, Name] = field(default_factory=dict)
    advance: Advance = Advance()
    rollback: Rollback | None = None
    probation: Probation | None = None
    forgetting_alarm: NotPositive = -0.1
    admission: AdmissionConfig | None = None
    replay_floor: PartShare = 0.0
    stop: ConditionConfig | None = None
    checkpoint_stages: bool = True
    alerts: tuple[AlertConfig, ...] = ()
    webhook: Name | None = None

    @property
    def component_names(self) -> tuple[str, ...]:
        """Every reward component that a stage may weigh."""
        return (*BUILT_IN_COMPONENTS, *self.components)
