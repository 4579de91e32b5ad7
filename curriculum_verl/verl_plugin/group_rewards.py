"""Curiosity inside verl: scored where whole groups are, added to the rewards before advantages are made of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transfer_queue as tq
from tensordict import TensorDict

from curriculum_verl.rewards.running import RunningRewards, normalised
from curriculum_verl.rewards.scorer import CURIOSITY
from curriculum_verl.rewards.usage import Trace
from curriculum_verl.verl_plugin.feedback import TRACE, Trajectory, last_outputs


def score_in_groups(rewards: RunningRewards, trajectories: Sequence[Trajectory]) -> dict[str, float]:
    """The raw curiosity of every response, by the part of the key that its outputs share."""
    groups = by_prompt(last_outputs(trajectories))
    scores = rewards.score_groups([[trace_of(t.extra) for t in group] for group in groups])
    return {
        session(trajectory): score.value
        for group, found in zip(groups, scores, strict=True)
        for trajectory, score in zip(group, found, strict=True)
        if score.value is not None
    }


def add_to_rewards(batch: Any, trajectories: Sequence[Trajectory], scores: Mapping[str, float]) -> None:
    """Add each response's weighed curiosity to its reward in verl's store, at its last token."""
    added = {}
    for trajectory in trajectories:
        raw = scores.get(session(trajectory))
        weight = trajectory.ticket["weights"].get(CURIOSITY, 0.0)
        if raw is not None and weight:
            added[trajectory.key] = weight * normalised(raw, trajectory.ticket["scales"].get(CURIOSITY))
    if not added:
        return
    keys = list(added)
    data = tq.kv_batch_get(keys=keys, partition_id=batch.partition_id, select_fields=["rm_scores"])
    rows = [scores.clone() for scores in data["rm_scores"].unbind()]
    for key, row in zip(keys, rows, strict=True):
        row[-1] += added[key]
    nested = torch.nested.as_nested_tensor(rows, layout=torch.jagged)
    fields = TensorDict({"rm_scores": nested}, batch_size=len(keys))
    tq.kv_batch_put(keys=keys, partition_id=batch.partition_id, fields=fields)


def by_prompt(trajectories: Sequence[Trajectory]) -> list[list[Trajectory]]:
    """Responses to one prompt together."""
    groups: dict[str, list[Trajectory]] = defaultdict(list)
    for trajectory in trajectories:
        groups[trajectory.prompt].append(trajectory)
    return list(groups.values())


def session(trajectory: Trajectory) -> str:
    """What the outputs of one response share: the key without the number at its end."""
    return trajectory.key.rpartition("_")[0]


def trace_of(extra: Mapping[str, Any]) -> Trace:
    """What the reward worker read of a response; nothing, if it could not."""
    return Trace.decode(extra[TRACE]) if extra.get(TRACE) else Trace()
