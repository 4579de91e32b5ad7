"""A recipe in words: which stage, which mix, which rewards, what ends it, what is taken back."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from curriculum_verl.curriculum.config import (
    AllOf,
    AnyOf,
    ConditionConfig,
    CurriculumConfig,
    MetricCondition,
    Rollback,
    Stage,
)

_POLICIES = {
    "uniform": "every prompt of the stage's buckets alike (the shares in the mix only say which buckets take part)",
    "mixture": "the stage's mix exactly",
    "target_difficulty": "the prompts nearest to a target difficulty that follows the success",
    "bandit": "more of the buckets that gave the most learning signal lately",
    "posterior": "prompts whose pass rate is likely near the target",
    "gaussian": "a bell over the buckets that moves from easy to hard on a schedule",
}


def describe(config: CurriculumConfig) -> str:
    """The recipe as a page of text."""
    parameters = ", ".join(f"{name}={value}" for name, value in config.policy.parameters.items())
    policy = f"{config.policy.name} ({parameters})" if parameters else config.policy.name
    lines = [
        f"Policy {policy}: {_POLICIES.get(config.policy.name, 'your own rule')}.",
        f"A response passes when its score is at least {config.pass_threshold:g}.",
    ]
    for number, stage in enumerate(config.stages, 1):
        lines += ["", *_stage(config, number, stage)]
    return "\n".join([*lines, "", *_rules(config)])


def describe_condition(condition: ConditionConfig, whose: str = "the stage's") -> str:
    """A condition in words; `whose` last values a window holds."""
    if isinstance(condition, MetricCondition):
        return _test(condition, whose)
    word = " or " if isinstance(condition, AnyOf) else " and "
    parts = [describe_condition(member, whose) for member in condition.members]
    nested = [f"({p})" if isinstance(m, AnyOf | AllOf) else p for p, m in zip(parts, condition.members, strict=True)]
    return word.join(nested)


def _test(test: MetricCondition, whose: str) -> str:
    metric = test.metric
    if test.window > 1:
        metric = f"the mean of {metric} over {whose} last {test.window} values"
    if test.above is not None:
        return f"{metric} is above {test.above:g}"
    if test.below is not None:
        return f"{metric} is below {test.below:g}"
    if test.at_least is not None:
        return f"{metric} is at least {test.at_least:g}"
    if test.confident_above is not None:
        return f"{metric} is above {test.confident_above:g} with {test.confidence:.0%} confidence (Wilson)"
    if test.plateau is not None:
        plateau = test.plateau
        times = f", {plateau.patience} times in a row" if plateau.patience > 1 else ""
        return f"the slope of {metric} over {plateau.evals} evaluations is below {plateau.slope_below:g}{times}"
    assert test.patience is not None  # a test without any of these is refused when it is read
    better = "higher" if test.patience.mode == "max" else "lower"
    by = f" by more than {test.patience.min_delta:g}" if test.patience.min_delta else ""
    return f"{metric} has not got {better}{by} for {test.patience.evals} evaluations"


def _stage(config: CurriculumConfig, number: int, stage: Stage) -> Iterator[str]:
    mix = ", ".join(f"{share:.0%} {bucket}" for bucket, share in stage.mix.items() if share > 0)
    rewards = " + ".join(f"{weight:g} x {name}" for name, weight in stage.rewards.items() if weight)
    yield f"Stage {number} of {len(config.stages)}: {stage.name}"
    yield f"  prompts: {mix}"
    yield f"  reward:  {rewards}"
    if stage.exit is not None:
        yield f"  ends when {describe_condition(stage.exit)}"
    elif config.stop is not None:
        yield f"  is the last; the run stops when {describe_condition(config.stop)}"
    else:
        yield "  is the last; it goes on to the end of the run"


def _rules(config: CurriculumConfig) -> Iterator[str]:
    yield f"Exits are looked at every {_steps(config.advance.check_every)}."
    if config.advance.min_performance is not None:
        least = config.advance.min_performance
        yield f"An advance needs a validation score of at least {least:g} on the present mix."
    if config.rollback is not None:
        yield from _rollback(config.rollback, validate_now=config.advance.validate_now)
    if config.probation is not None:
        watched = f"If a bucket of the stage before falls within {config.probation.evals} validations of an advance,"
        if config.probation.action == "rollback":
            yield f"{watched} the advance is rolled back."
        else:
            yield f"{watched} its share of the batch rises by {config.probation.replay_step:.0%}."
    if config.replay_floor:
        yield f"At least {config.replay_floor:.0%} of every batch stays for the buckets of earlier stages."
    if config.admission is not None:
        yield (
            "Prompts whose last group had no variance are skipped, with a chance of another try that is certain again "
            f"after {config.admission.retry_after:g} steps, and after twice as many for each further such group."
        )
    yield f"A bucket that falls more than {-config.forgetting_alarm:g} below its best raises a forgetting alarm."
    for alert in config.alerts:
        when = describe_condition(alert.condition, "the run's")
        again = "" if alert.repeat is None else f", and again every {_steps(alert.repeat)} while that stays so"
        yield f"Alert {alert.name}: when {when}{again}."
    if config.webhook is not None:
        yield f"Alerts and events are posted to a webhook at {urlsplit(config.webhook).hostname}."


def _rollback(rollback: Rollback, *, validate_now: bool) -> Iterator[str]:
    when = "a validation right after it" if validate_now else "the next validation"
    mix = "the old mix" if rollback.baseline == "old_mix" else "the new mix"
    what = "; model and optimizer go back too" if rollback.restore == "weights" else ""
    yield (
        f"An advance is rolled back if {when} scores more than {-rollback.threshold:g} below the score taken before on "
        f"{mix}{what}."
    )
    if rollback.baseline == "old_mix":
        yield "  (A harder mix scores lower by itself; that is part of the drop. Set the threshold with it in mind.)"
    yield (
        f"  Then there is no advance for {_steps(rollback.cooldown)}, and the time between looks at that exit grows "
        f"{rollback.interval_factor:g}-fold."
    )


def _steps(count: int) -> str:
    return "step" if count == 1 else f"{count} steps"
