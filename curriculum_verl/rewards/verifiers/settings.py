"""What the user says about R_final: which verifier scores what, and how strictly."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from curriculum_verl.rewards.sandbox.limits import SandboxSettings
from curriculum_verl.schema import Bounds, Count, NotNegative, Positive, Share


@dataclass(frozen=True, slots=True)
class Band:
    """An answer whose relative error is at most `within` gets `value`."""

    within: Positive
    value: Share


@dataclass(frozen=True, slots=True)
class NumericSettings:
    """Numbers are equal within either tolerance; `soft_bands` give credit beyond it, the best that fits."""

    relative_tolerance: NotNegative = 1e-6
    absolute_tolerance: NotNegative = 1e-9
    soft_bands: tuple[Band, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Of the warm processes that score what could hang: how many, and what one response may cost."""

    count: Count = 1
    seconds: Positive = 5.0
    memory_mb: Annotated[int, Bounds(at_least=512)] = 4096


@dataclass(frozen=True, slots=True)
class FinalSettings:
    """`sources` and `styles` name a verifier by data source and by reward_model.style; `default` is for the rest.

    A verifier is a name of the registry or the user's own function: package.module:name or file.py:name. Without
    `partial_credit` code and instructions are passed whole or not at all.
    """

    sources: dict[str, str] = field(default_factory=dict)
    styles: dict[str, str] = field(default_factory=dict)
    default: str | None = None
    pass_threshold: Share = 0.5
    partial_credit: bool = False
    ignore_case: bool = True
    instructions: Literal["strict", "loose"] = "strict"
    numeric: NumericSettings = field(default_factory=NumericSettings)
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
