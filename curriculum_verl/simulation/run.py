"""Playing a curriculum: the engine draws, a world answers, and everything that happened is written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tqdm import trange

from curriculum_verl.curriculum import Alert, Curriculum, CurriculumConfig, Decision, Rate, Transition
from curriculum_verl.errors import InputError, unknown_name
from curriculum_verl.simulation.worlds import World


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The run that is simulated; `group_size` has the responses of buckets that get others than `responses`."""

    steps: int = 300
    batch: int = 64
    responses: int = 8
    validate_every: int = 10
    validation_trials: int = 200
    seed: int = 0
    group_size: Mapping[str, int] = field(default_factory=dict)

    def responses_by_bucket(self, buckets: tuple[str, ...]) -> NDArray[np.int64]:
        """How many responses a prompt of each bucket gets."""
        for name in self.group_size:
            if name not in buckets:
                raise InputError(f"curriculum.group_size: {unknown_name('bucket', name, buckets)}")
        return np.array([self.group_size.get(name, self.responses) for name in buckets])


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What happened; arrays have a row per step and a column per bucket."""

    buckets: tuple[str, ...]
    stages: NDArray[np.int64]
    prompts: NDArray[np.int64]
    tokens: NDArray[np.float64]
    success: NDArray[np.float64]  # of the training batch, by step: the mean of its prompts' pass rates
    pass_rates: NDArray[np.float64]  # true rates before the first step and after every one: one row more
    transitions: tuple[Transition, ...]
    validations: int
    warnings: tuple[str, ...]
    alarms: tuple[tuple[int, str], ...]
    alerts: tuple[tuple[int, Alert], ...]
    stop: str | None


def simulate(config: CurriculumConfig, world: World, settings: RunSettings, label: str | None = "simulate") -> Trace:
    """Play the curriculum until the steps are over or it asks to stop; without a label no bar shows how far it is.

    Like the trainer: a step is observed, then validated if that is due or asked for, and a checkpoint stands at every
    transition, to which a rollback of weights returns.
    """
    curriculum = Curriculum(config, world.index)
    responses = settings.responses_by_bucket(world.index.names)
    random = np.random.default_rng(settings.seed)
    stages, prompts, tokens, success, rates = [], [], [], [], [world.pass_rates()]
    decisions: list[Decision] = []
    validations = 0
    checkpoints: dict[int, NDArray[np.float64]] = {}
    for step in trange(1, settings.steps + 1, desc=label, unit=" steps", disable=None if label else True):
        draw = curriculum.draw(settings.batch)
        answers = world.respond(draw.prompts, responses[draw.buckets], random)
        pass_rates = answers.pass_rates
        world.learn(draw.prompts, pass_rates)
        counts = np.bincount(draw.buckets, minlength=len(world.index.names))
        stages.append(draw.stage)
        prompts.append(counts)
        tokens.append(counts * responses * world.tokens)
        success.append(float(pass_rates.mean()))
        rates.append(world.pass_rates())
        scores, passed = answers.by_prompt(answers.scores), answers.by_prompt(answers.passed.astype(np.float64))
        decision = curriculum.observe(step, draw.prompts, scores, passed=passed)
        made_now = [decision]
        if decision.validate or step % settings.validate_every == 0:
            decision = curriculum.evaluate(step, _validate(rates[-1], world.index.names, settings, random))
            made_now.append(decision)
            validations += 1
        if decision.restore_step is not None:
            world.restore(checkpoints[decision.restore_step])
        if any(made.checkpoint for made in made_now):
            checkpoints[step] = world.weights()
        decisions += made_now
        if decision.stop:
            break
    return Trace(
        world.index.names,
        np.array(stages),
        np.array(prompts),
        np.array(tokens),
        np.array(success),
        np.array(rates),
        curriculum.transitions,
        validations,
        tuple(warning for decision in decisions for warning in decision.warnings),
        tuple((decision.step, bucket) for decision in decisions for bucket in decision.alarms),
        tuple((decision.step, alert) for decision in decisions for alert in decision.alerts),
        decisions[-1].stop,
    )


def _validate(
    rates: NDArray[np.float64], names: tuple[str, ...], settings: RunSettings, random: np.random.Generator
) -> dict[str, Rate]:
    passed = random.binomial(settings.validation_trials, rates)
    return {
        name: Rate(count / settings.validation_trials, settings.validation_trials)
        for name, count in zip(names, passed.tolist(), strict=True)
    }
