"""A recipe played as it stands: what happened, and how long that took."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.errors import CurriculumError, InputError
from curriculum_verl.schema import shown
from curriculum_verl.simulation.prompts import Prompts
from curriculum_verl.simulation.run import Settings, Trace, simulate

LIMITS: dict[str, tuple[float, float]] = {
    "steps": (1, 5000),
    "batch": (1, 4096),
    "responses": (1, 64),
    "validate_every": (1, 5000),
    "validation_trials": (1, 10**6),
    "seed": (0, 2**32),
    "learn_rate": (0, 100),
    "transfer": (0, 100),
    "forget": (0, 100),
}
MOST_RESPONSES = 4_000_000  # of a whole simulation: what a page can wait for
"""What a page simulates: no one visitor may keep it busy for long."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The run that is simulated, and what stands for the model."""

    run: Settings
    learns: bool = True
    learner: dict[str, float] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Every value by its name, as fields show it."""
        run = {name: getattr(self.run, name) for name in LIMITS if hasattr(self.run, name)}
        return {**run, **self.learner, "learns": self.learns}

    def with_value(self, name: str, value: Any) -> "Setting":
        """The same with another value; an InputError says what is accepted."""
        if name == "learns":
            return replace(self, learns=bool(value))
        low, high = LIMITS[name]
        whole = name not in self.learner
        fits = type(value) in (int, float) and low <= value <= high and not (whole and value != int(value))
        if not fits:
            kind = "a whole number" if whole else "a number"
            got = "nothing" if value is None else shown(value)
            raise InputError(f"{name.replace('_', ' ')}: got {got}, expected {kind} from {low:g} to {high:g}")
        if not whole:
            return replace(self, learner={**self.learner, name: float(value)})
        made = replace(self, run=replace(self.run, **{name: int(value)}))
        if (count := made.run.steps * made.run.batch * made.run.responses) > MOST_RESPONSES:
            raise InputError(f"steps x batch x responses: got {count:,}, expected at most {MOST_RESPONSES:,} on a page")
        return made


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A recipe and what came of it; `problem` says why nothing did."""

    config: CurriculumConfig
    trace: Trace | None
    seconds: float
    problem: str | None = None


def play(config: CurriculumConfig, prompts: Prompts, setting: Setting) -> Played:
    """Play a recipe from the start."""
    began = time.perf_counter()
    trace, problem = None, None
    try:
        world = prompts.world(config.pass_threshold, learns=setting.learns, **setting.learner)
        trace = simulate(config, world, setting.run, None)
    except (CurriculumError, ArithmeticError) as error:  # a policy may ask for what the prompts do not have
        problem = str(error)
    return Played(config, trace, time.perf_counter() - began, problem)


def first_steps(trace: Trace, stages: Sequence[str]) -> dict[str, int | None]:
    """The step after which every stage was first entered, 0 for the first; None for one that never was."""
    entered: dict[str, int | None] = dict.fromkeys(stages)
    entered[stages[0]] = 0
    for transition in trace.transitions:
        if entered[transition.target] is None:
            entered[transition.target] = transition.step
    return entered
