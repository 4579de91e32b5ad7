"""The rollout log: what a run generated, in the input format of the bucketing script; a file for each step."""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import transfer_queue as tq

from curriculum_verl.atomic import replacing
from curriculum_verl.verl_plugin.feedback import COMPONENT, FINAL, Trajectory, last_outputs

logger = logging.getLogger(__name__)

FIELDS = ["responses", "raw_prompt", "data_source", "reward_model", "extra_info"]


class RolloutLog:
    """Collects the groups of a step, also those that are dropped, and writes them as rollout_000012.jsonl.

    A resumed run writes its steps again, each file complete or not at all.
    """

    def __init__(self, folder: str | None, tokenizer: Any):
        self._folder = None if folder is None else Path(folder)
        self._tokenizer = tokenizer
        self._lines: list[dict[str, Any]] = []

    def collect(self, trajectories: Sequence[Trajectory], partition_id: str) -> None:
        """Take trajectories while their texts are in verl's store."""
        if self._folder is not None and trajectories:
            last = last_outputs(trajectories)
            keys = [trajectory.key for trajectory in last]
            data = tq.kv_batch_get(keys=keys, partition_id=partition_id, select_fields=FIELDS)
            texts = self._tokenizer.batch_decode([ids.tolist() for ids in data["responses"]], skip_special_tokens=True)
            rows = [
                {name: getattr(data[name][i], "data", data[name][i]) for name in FIELDS[1:]} for i in range(len(last))
            ]
            self._lines += lines(last, rows, texts)

    def write(self, step: int) -> None:
        """Write what was collected since the last step; a log that cannot be written is an error in the run's log."""
        if self._folder is None:
            return
        collected, self._lines = self._lines, []
        path = self._folder / f"rollout_{step:06d}.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file:
                for line in collected:
                    file.write(_encoded({**line, "step": step}))
        except OSError as error:
            logger.error("%s: the rollouts of step %d are lost: %s", path, step, error)


def lines(
    trajectories: Sequence[Trajectory], rows: Sequence[Mapping[str, Any]], texts: Sequence[str]
) -> list[dict[str, Any]]:
    """A line for each prompt. Its reward is the raw `final`, which says how hard it is, and not the weighted sum."""
    groups: dict[str, list[int]] = defaultdict(list)
    for position, trajectory in enumerate(trajectories):
        groups[trajectory.prompt].append(position)
    return [
        _line([trajectories[i] for i in group], rows[group[0]], [texts[i] for i in group]) for group in groups.values()
    ]


def _line(group: Sequence[Trajectory], row: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    extra, model = row["extra_info"] or {}, row["reward_model"] or {}
    ticket = group[0].ticket
    components = {name for trajectory in group for name in trajectory.extra if name.startswith(COMPONENT)}
    return {
        "id": str(extra.get("id", ticket["row"])),
        "prompt": row["raw_prompt"],
        "response": list(texts),
        "reward": [t.reward if t.extra.get(FINAL) is None else t.extra[FINAL] for t in group],
        "ground_truth": _ground_truth(model),
        "data_source": row["data_source"],
        "extra_info": json.loads(extra["original"]) if extra.get("original") else {},
        "bucket": ticket["bucket"],
        "stage": ticket["stage"],
        "weights": ticket["weights"],
        "weighted_reward": [trajectory.reward for trajectory in group],
        "components": {name.removeprefix(COMPONENT): [t.extra.get(name) for t in group] for name in sorted(components)},
    }


def _ground_truth(model: Mapping[str, Any]) -> Any:
    """As the rollouts had it that the data was made of: in the data it is text."""
    truth = model.get("ground_truth")
    return json.loads(truth) if isinstance(truth, str) and model.get("ground_truth_format") == "json" else truth


def _encoded(line: dict[str, Any]) -> bytes:
    """A line of JSON; one that holds what JSON cannot, such as pictures, is left out with a word in the log."""
    try:
        return msgspec.json.encode(line, enc_hook=_plain) + b"\n"
    except (TypeError, ValueError, AttributeError) as error:
        logger.error("the rollouts of prompt %s are not logged: %s", line["id"], error)
        return b""


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's."""
    return value.tolist()
