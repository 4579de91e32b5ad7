"""What a program may use up, and how it is shut in."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from curriculum_verl.schema import Bounds, Count, Positive


@dataclass(frozen=True, slots=True)
class Limits:
    """For one test each, but for `total_seconds`. With `processes: 1` a program may have threads, but start no
    process; more than 1 counts threads and processes together, each with `memory_mb` of its own.
    """

    cpu_seconds: Positive = 5.0
    wall_seconds: Positive = 10.0
    total_seconds: Positive = 60.0
    memory_mb: Annotated[int, Bounds(at_least=64)] = 512
    processes: Count = 1
    file_mb: Count = 16
    output_kb: Count = 1024


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """`accept_weaker` runs programs without namespaces where the kernel forbids them (docs/rewards.md says what is
    guaranteed then); `at_once` sandboxes run beside each other in one process; `url` is sandbox_fusion's.
    """

    backend: Literal["local", "sandbox_fusion"] = "local"
    accept_weaker: bool = False
    at_once: Count = 2
    url: str | None = None
    limits: Limits = field(default_factory=Limits)
