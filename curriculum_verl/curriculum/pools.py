"""The pools that policies draw from: one endless, shuffled, resumable walk through each bucket."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.admission import Admission
from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.curriculum.permutation import permute
from curriculum_verl.curriculum.randomness import key_of, mix64

ADMISSION_ROUNDS = 4  # after so many refusals a slot takes what comes: a draw ends even when a whole bucket is hopeless


class Pools:
    """Takes prompts out of buckets; none comes twice before its bucket is exhausted, then a new shuffle begins.

    The whole state is how many prompts each bucket has given out: epoch and position follow from it.
    """

    def __init__(self, index: PromptIndex, seed: int, admission: Admission | None = None):
        self.index = index
        self.seed = seed
        self.admission = admission
        self._keys = np.array([key_of(seed, bucket) for bucket in range(len(index.names))], dtype=np.uint64)
        self._taken = np.zeros(len(index.names), dtype=np.int64)
        self._skipped = np.zeros(len(index.names), dtype=np.int64)

    def take(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The next counts[b] prompts of every bucket b, bucket after bucket, without those that admission skips."""
        prompts = self._next(counts)
        if self.admission is None:
            return prompts
        buckets = np.repeat(np.arange(len(counts)), counts)
        pending = np.arange(len(prompts))
        for _ in range(ADMISSION_ROUNDS):
            pending = pending[~self.admission.admits(prompts[pending])]
            if not pending.size:
                break
            refused = np.bincount(buckets[pending], minlength=len(counts))
            self._skipped += refused
            prompts[pending] = self._next(refused)
        return prompts

    def left(self) -> NDArray[np.int64]:
        """How many prompts of every bucket come before its next reshuffle."""
        return self.index.sizes - self._taken % self.index.sizes

    def _next(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        bucket = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(bucket)) - np.repeat(np.cumsum(counts) - counts, counts)
        epoch, position = np.divmod(self._taken[bucket] + within, self.index.sizes[bucket])
        self._taken = self._taken + counts
        keys = mix64(self._keys[bucket] + epoch.astype(np.uint64))
        return self.index.offsets[bucket] + permute(position, self.index.sizes[bucket], keys)

    def state_dict(self) -> dict[str, Any]:
        """How many prompts each bucket gave out and skipped."""
        return {"taken": self._taken.tolist(), "skipped": self._skipped.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved walk stood."""
        self._taken = np.array(state["taken"], dtype=np.int64)
        self._skipped = np.array(state["skipped"], dtype=np.int64)

    def metrics(self) -> dict[str, float]:
        """Epochs and skipped prompts by bucket."""
        metrics = {f"epoch/{name}": epoch for name, epoch in self.index.by_name(self._taken / self.index.sizes).items()}
        if self.admission is not None:
            metrics |= {f"skipped/{name}": float(count) for name, count in self.index.by_name(self._skipped).items()}
        return metrics
