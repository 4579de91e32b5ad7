"""What a training step has shown: trajectories put together by prompt, as the curriculum observes them."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curriculum_verl.errors import CurriculumError
from curriculum_verl.rewards.running import normalised

COMPONENT = "reward/"  # before the name of a raw component among a trajectory's extra values
SUCCESS = "success"
FAILURE = "reward_failure"  # why components of this response could not be scored; empty if all were
FINAL = f"{COMPONENT}final"
TRACE = "trace"  # how a response uses its tools, for what judges responses in groups
SAME = 1e-9  # rewards that are no further apart are equal but for rounding


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One response: its key in verl's store, its ticket, its reward, what scored it, its length and its turns."""

    key: str
    ticket: Mapping[str, Any]
    reward: float
    extra: Mapping[str, Any]
    tokens: int = 0
    turns: int = 2

    @property
    def prompt(self) -> str:
        """What the responses to one prompt share: the key without session and number."""
        return self.key.rsplit("_", 2)[0]


@dataclass(frozen=True, slots=True)
class Feedback:
    """The groups of a step, one entry each."""

    rows: list[int] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)
    rewards: list[list[float]] = field(default_factory=list)
    passed: list[list[float]] | None = None
    components: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    usage: dict[str, float] = field(default_factory=dict)


def last_outputs(trajectories: Iterable[Trajectory]) -> list[Trajectory]:
    """Of every response the last output, where an agent has several: that one was scored, for the others too.

    Outputs of one response share their key but for the number at its end.
    """
    last: dict[str, tuple[int, Trajectory]] = {}
    for trajectory in trajectories:
        session, _, number = trajectory.key.rpartition("_")
        known = last.get(session)
        if known is None or known[0] < int(number):
            last[session] = int(number), trajectory
    return [trajectory for _, trajectory in last.values()]


def gather(trajectories: Sequence[Trajectory]) -> Feedback:
    """Put the responses of a step together by prompt."""
    groups: dict[str, list[Trajectory]] = defaultdict(list)
    for trajectory in last_outputs(trajectories):
        groups[trajectory.prompt].append(trajectory)
    members = list(groups.values())
    if members and not any(FAILURE in trajectory.extra for group in members for trajectory in group):
        raise CurriculumError(
            "no response was scored by CurriculumRewardManager, so reward weights were not heeded; leave "
            "reward.reward_manager and reward.reward_model as they are, and scores to the reward loop"
        )
    tells = all(SUCCESS in trajectory.extra for group in members for trajectory in group)
    return Feedback(
        rows=[int(group[0].ticket["row"]) for group in members],
        stages=[int(group[0].ticket["stage"]) for group in members],
        buckets=[str(group[0].ticket["bucket"]) for group in members],
        # What could not be judged is neither passed nor failed: the curriculum counts it as invalid.
        rewards=[[math.nan if t.extra.get(FINAL, 0.0) is None else t.reward for t in group] for group in members],
        passed=[[float(t.extra[SUCCESS] or 0.0) for t in group] for group in members] if tells and members else None,
        failures=[t.extra[FAILURE] for group in members for t in group if t.extra.get(FAILURE)],
        components=mean_components([t.extra for group in members for t in group])
        | contributions([t for group in members for t in group]),
        usage=usage(trajectories) | signal([[t.reward for t in group] for group in members]),
    )


def signal(rewards: Sequence[Sequence[float]]) -> dict[str, float]:
    """GRPO's filtering rate: the share of groups whose rewards differ, which alone have a learning signal."""
    comparable = [group for group in rewards if len(group) > 1]
    if not comparable:
        return {}
    return {"filtering_rate": sum(max(group) - min(group) > SAME for group in comparable) / len(comparable)}


def refuse_failures(failures: Sequence[str], responses: int, most: float) -> None:
    """End a run whose rewards mean little: more than a share of the responses could not be scored."""
    if len(failures) > most * responses:
        raise CurriculumError(
            f"reward components failed for {len(failures)} of {responses} responses, expected at most {most:.0%}; "
            f"the last: {failures[-1]}; mend the reward, or raise curriculum.most_reward_failures"
        )


def usage(trajectories: Sequence[Trajectory]) -> dict[str, float]:
    """Tokens and mean response length by bucket, and the share of responses that use a tool."""
    tokens: dict[str, list[int]] = defaultdict(list)
    for trajectory in trajectories:
        tokens[str(trajectory.ticket["bucket"])].append(trajectory.tokens)
    found: dict[str, float] = {}
    for bucket, lengths in tokens.items():
        found[f"tokens/{bucket}"] = float(sum(lengths))
        found[f"response_length/{bucket}"] = sum(lengths) / len(lengths)
    if trajectories:  # a tool answers between two turns of the model
        found["tool_use_rate"] = sum(trajectory.turns > 2 for trajectory in trajectories) / len(trajectories)
    return found


def mean_components(extras: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The mean of every raw reward component and its parts, over the responses that have one."""
    return {COMPONENT + name: math.fsum(found) / len(found) for name, found in raw_values(extras).items()}


def contributions(trajectories: Sequence[Trajectory]) -> dict[str, float]:
    """Of every component the mean of what it adds to a reward, and where it is normalised, of its normalised value."""
    values: dict[str, list[float]] = defaultdict(list)
    added: dict[str, list[float]] = defaultdict(list)
    for trajectory in trajectories:
        scales = trajectory.ticket["scales"]
        for name, weight in trajectory.ticket["weights"].items():
            raw = trajectory.extra.get(COMPONENT + name)
            if raw is None:  # not scored: it adds nothing
                continue
            value = normalised(raw, scales.get(name))
            added[name].append(weight * value)
            if name in scales:
                values[name].append(value)
    return {f"reward_weighted/{name}": math.fsum(found) / len(trajectories) for name, found in added.items()} | {
        f"reward_normalised/{name}": math.fsum(found) / len(found) for name, found in values.items()
    }


def raw_values(extras: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """The raw values of every component, and of its parts, as far as responses have one."""
    values: dict[str, list[float]] = defaultdict(list)
    for extra in extras:
        for name, value in extra.items():
            if name.startswith(COMPONENT) and value is not None and math.isfinite(value):
                values[name.removeprefix(COMPONENT)].append(float(value))
    return values
