"""What a training step has shown: trajectories put together by prompt, as the curriculum observes them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

COMPONENT = "reward/"  # before the name of a raw component among a trajectory's extra values
SUCCESS = "success"


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One response: its key in verl's store, its ticket, the reward that it was trained on, and what scored it."""

    key: str
    ticket: Mapping[str, Any]
    reward: float
    extra: Mapping[str, Any]

    @property
    def prompt(self) -> str:
        """What the responses to one prompt share: the key without session and number."""
        return self.key.rsplit("_", 2)[0]

    @property
    def session(self) -> str:
        """What the outputs of one response share, where an agent has several: the key without the number."""
        return self.key.rsplit("_", 1)[0]

    @property
    def number(self) -> int:
        """Which output of the response it is."""
        return int(self.key.rsplit("_", 1)[1])


@dataclass(frozen=True, slots=True)
class Feedback:
    """The groups of a step, one entry each."""

    rows: list[int] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)
    rewards: list[list[float]] = field(default_factory=list)
    passed: list[list[float]] | None = None
    components: dict[str, float] = field(default_factory=dict)


def last_outputs(trajectories: Iterable[Trajectory]) -> list[Trajectory]:
    """Of every response the last output: that one was scored, and its score was given to the others."""
    last: dict[str, Trajectory] = {}
    for trajectory in trajectories:
        known = last.get(trajectory.session)
        if known is None or known.number < trajectory.number:
            last[trajectory.session] = trajectory
    return list(last.values())


def gather(trajectories: Sequence[Trajectory]) -> Feedback:
    """Put the responses of a step together by prompt."""
    groups: dict[str, list[Trajectory]] = defaultdict(list)
    for trajectory in last_outputs(trajectories):
        groups[trajectory.prompt].append(trajectory)
    members = list(groups.values())
    tells = all(SUCCESS in trajectory.extra for group in members for trajectory in group)
    return Feedback(
        rows=[int(group[0].ticket["row"]) for group in members],
        stages=[int(group[0].ticket["stage"]) for group in members],
        buckets=[str(group[0].ticket["bucket"]) for group in members],
        rewards=[[trajectory.reward for trajectory in group] for group in members],
        passed=[[float(t.extra[SUCCESS]) for t in group] for group in members] if tells and members else None,
        components=mean_components([trajectory.extra for group in members for trajectory in group]),
    )


def mean_components(extras: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The mean of every raw reward component, over the responses that have one."""
    values: dict[str, list[float]] = defaultdict(list)
    for extra in extras:
        for name, value in extra.items():
            if name.startswith(COMPONENT) and value is not None and np.isfinite(value):
                values[name].append(float(value))
    return {name: float(np.mean(found)) for name, found in values.items()}
