"""verl's store of trajectories: what the curriculum reads of it, while it is there."""

from collections.abc import Callable, Sequence
from typing import Any

import transfer_queue as tq

from curriculum_verl.verl_plugin.feedback import Trajectory
from curriculum_verl.verl_plugin.tickets import FIELD

FIELDS = ["rm_scores", "extra_fields", "num_turns", FIELD]
TRAIN = "train"


def read_trajectories(batch: Any) -> list[Trajectory]:
    """The real trajectories of a step; those that only pad the batch are left out."""
    real = [(key, tag) for key, tag in zip(batch.keys, batch.tags, strict=True) if not tag.get("is_padding", False)]
    return _read([key for key, _ in real], [tag for _, tag in real], batch.partition_id)


def before_clearing(buffer: Any, then: Callable[[list[Trajectory]], None]) -> None:
    """Have a replay buffer show the training groups that it drops, before they are gone.

    DAPO's filter drops groups without a signal: just what the success rate and the rule of admission must know of.
    """
    clear = getattr(buffer, "_clear_groups", None)
    if clear is None:  # a sampler of the user's own
        return

    def show_and_clear(partition_id: str, uids: set[str]) -> None:
        if partition_id == TRAIN and uids:
            known = buffer.partitions[partition_id]
            keys = [key for key in known if key.split("_")[0] in uids]
            then(_read(keys, [known[key] for key in keys], partition_id))
        clear(partition_id, uids)

    buffer._clear_groups = show_and_clear


def clear_in_flight() -> int:
    """Drop the training prompts that verl restored with a checkpoint; returns how many are left, which is none."""
    items = (tq.kv_list(TRAIN) or {}).get(TRAIN, {})
    if items:
        tq.kv_clear(keys=list(items), partition_id=TRAIN)
    return 0


def _read(keys: Sequence[str], tags: Sequence[dict[str, Any]], partition_id: str) -> list[Trajectory]:
    if not keys:
        return []
    data = tq.kv_batch_get(keys=list(keys), partition_id=partition_id, select_fields=FIELDS)
    rewards = [float(scores.sum()) for scores in data["rm_scores"]]
    tickets, extras, turns = (
        [getattr(value, "data", value) for value in data[name]] for name in (FIELD, "extra_fields", "num_turns")
    )
    return [
        Trajectory(
            key,
            ticket,
            reward,
            (extra or {}).get("reward_extra_info") or {},
            int(tag.get("response_len", 0)),
            int(turn),
        )
        for key, tag, reward, ticket, extra, turn in zip(keys, tags, rewards, tickets, extras, turns, strict=True)
    ]
