"""What a prompt takes along from its draw: row, bucket, stage and the reward weights by which it is to be scored."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset, Sampler

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.rewards.running import RunningRewards

GROUP_SIZE = "__rollout_n__"  # by this name verl takes a prompt's own number of responses
FIELD = "curriculum"  # the name under which a ticket travels through verl's batches


@dataclass(frozen=True, slots=True)
class Ticket:
    """One drawn prompt; `stage` counts from 0, `scales` normalise components."""

    row: int
    bucket: str
    stage: int
    weights: Mapping[str, float]
    scales: Mapping[str, list[float]]

    def as_field(self) -> dict[str, Any]:
        """As plain values, which every transport of verl can carry."""
        return {
            "row": self.row,
            "bucket": self.bucket,
            "stage": self.stage,
            "weights": dict(self.weights),
            "scales": dict(self.scales),
        }


class CurriculumSampler(Sampler[Ticket]):
    """Draws a whole batch of the dataloader at a time, so that a switch of stage affects the very next one.

    It never ends, and its length stays that of the data, which fixes verl's learning-rate horizon. The curriculum
    keeps all state; what the dataloader saves of this sampler is empty on purpose, or it would be wound forward.
    """

    def __init__(self, curriculum: Curriculum, batch_size: int, rewards: RunningRewards):
        self._curriculum = curriculum
        self._batch_size = batch_size
        self._rewards = rewards
        self._seconds = 0.0

    def __len__(self) -> int:
        return len(self._curriculum.index)

    def __iter__(self) -> Iterator[Ticket]:
        names = self._curriculum.index.names
        while True:
            began = time.perf_counter()
            draw = self._curriculum.draw(self._batch_size)
            scales = self._rewards.scales()
            self._seconds += time.perf_counter() - began
            for row, bucket in zip(draw.prompts.tolist(), draw.buckets.tolist(), strict=True):
                yield Ticket(row, names[bucket], draw.stage, draw.reward_weights, scales)

    def take_seconds(self) -> float:
        """The time that drawing took since this was last asked."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the curriculum is saved by itself."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to do."""


class TicketedDataset(Dataset[dict[str, Any]]):
    """verl's dataset, whose rows come with their tickets, and with their number of responses if buckets have their own.

    Then every row says it, so that rows of all buckets go into one batch.
    """

    def __init__(self, dataset: Any, group_sizes: Mapping[str, int], usual: int):
        self._dataset = dataset
        self._group_sizes = group_sizes
        self._usual = usual

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, ticket: Ticket) -> dict[str, Any]:
        row = {**self._dataset[ticket.row], FIELD: ticket.as_field()}
        if self._group_sizes:
            row[GROUP_SIZE] = self._group_sizes.get(ticket.bucket, self._usual)
        return row
