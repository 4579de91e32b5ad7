"""A recipe played as it stands: what happened, and how long that took."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.errors import CurriculumError, InputError
from curriculum_verl.schema import shown
from curriculum_verl.simulation.prompts import Prompts
from curriculum_verl.simulation.run import RunSettings, Trace, simulate
from curriculum_verl.simulation.setup import Setup
from curriculum_verl.simulation.worlds import World
from curriculum_verl.tuning.fields import number

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
LEARNER = ("learn_rate", "transfer", "forget")


def read_setup(values: Mapping[str, Any]) -> tuple[Setup | None, dict[str, str]]:
    """What a recipe is played with, from values by their names, numbers as texts; and what is wrong, by name."""
    found: dict[str, float] = {}
    wrong: dict[str, str] = {}
    for name in LIMITS:
        try:
            found[name] = _limited(name, values[name])
        except InputError as error:
            wrong[name] = f"{name.replace('_', ' ')}: {error}"
    if wrong:
        return None, wrong
    numbers: dict[str, Any] = {name: int(found[name]) for name in LIMITS if name not in LEARNER}
    run = RunSettings(**numbers)
    try:
        check_size(run)
    except InputError as error:
        return None, {"steps": str(error)}
    return Setup(run, learns=bool(values["learns"]), learner={name: float(found[name]) for name in LEARNER}), {}


def _limited(name: str, text: str) -> float:
    low, high = LIMITS[name]
    kind = "a number" if name in LEARNER else "a whole number"
    expected = f"expected {kind} from {low:g} to {high:g}"
    if not text.strip():
        raise InputError(f"got nothing, {expected}")
    try:
        found = number(text)
    except InputError:
        raise InputError(f"got {shown(text)}, {expected}") from None
    if not low <= found <= high or (name not in LEARNER and found != int(found)):
        raise InputError(f"got {text.strip()}, {expected}")
    return found


def check_size(run: RunSettings) -> None:
    """Refuse a run that is too long for a page."""
    most = max(run.responses, *run.group_size.values()) if run.group_size else run.responses
    if (count := run.steps * run.batch * most) > MOST_RESPONSES:
        raise InputError(
            f"steps x batch x responses: got {count:,}, expected at most {MOST_RESPONSES:,} on a page; take fewer steps"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A recipe and what came of it; `problem` says why nothing did."""

    config: CurriculumConfig
    trace: Trace | None
    seconds: float
    problem: str | None = None


class Abandoned(Exception):  # noqa: N818  # nobody waits for it any more, which is no error
    """The recipe has been changed since."""


class _Watched:
    """A world that answers as long as somebody waits for the answers."""

    def __init__(self, world: World, wanted: Callable[[], bool]):
        self._world, self._wanted = world, wanted

    def respond(self, *arguments: Any) -> Any:
        """The world's responses."""
        if not self._wanted():
            raise Abandoned
        return self._world.respond(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)


def play(
    config: CurriculumConfig,
    prompts: Prompts,
    setting: Setup,
    group_size: Mapping[str, int],
    wanted: Callable[[], bool],
) -> Played:
    """Play a recipe from the start; raises Abandoned once it is not wanted any more."""
    began = time.perf_counter()
    trace, problem = None, None
    try:
        run = replace(setting.run, group_size=group_size)
        check_size(run)
        world = _Watched(prompts.world(config.pass_threshold, setting), wanted)
        trace = simulate(config, cast(World, world), run, None)
    except (CurriculumError, ArithmeticError) as error:  # a policy may ask for what the prompts do not have
        problem = str(error)
    return Played(config, trace, time.perf_counter() - began, problem)
