"""What the curriculum tells its caller: transitions, and what to do now."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["advance", "rollback"]


@dataclass(frozen=True, slots=True)
class Transition:
    """One switch of stage: what it was, why, and the scores that it was judged by, as far as they are known."""

    step: int
    kind: Kind
    source: str
    target: str
    reason: str
    before: float | None = None
    after: float | None = None

    @property
    def drop(self) -> float | None:
        """The score after minus the score before; None until both are known."""
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule of the recipe's `alerts` that has become met, and by which values."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the caller has to do now; an empty one means: go on.

    `validate`: validate now, with the present weights, and call `evaluate` for this step. `checkpoint`: a stage
    begins, and the recipe wants a full checkpoint of its start. `restore_step`: load model and optimizer from the
    checkpoint taken at this step, when the abandoned stage began; the step count goes on all the same. `stop`: why
    the run should end. `hold`: why a stage whose exit is met goes on. `alarms`: buckets that are being forgotten
    since this validation. `alerts`: those of the recipe that are raised now.
    """

    step: int
    transitions: tuple[Transition, ...] = ()
    validate: bool = False
    checkpoint: bool = False
    restore_step: int | None = None
    stop: str | None = None
    hold: str | None = None
    alarms: tuple[str, ...] = ()
    alerts: tuple[Alert, ...] = ()
    warnings: tuple[str, ...] = ()
