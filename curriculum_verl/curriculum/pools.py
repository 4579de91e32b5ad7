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

    A draw holds a prompt once, if its bucket has enough: what a new shuffle would repeat is put off to the next draw.
    The state is how many prompts each bucket has given out, and what was put off: epoch and position follow from it.
    """

    def __init__(self, index: PromptIndex, seed: int, admission: Admission | None = None):
        self.index = index
        self.seed = seed
        self.admission = admission
        self._keys = np.array([key_of(seed, bucket) for bucket in range(len(index.names))], dtype=np.uint64)
        self._taken = np.zeros(len(index.names), dtype=np.int64)
        self._skipped = np.zeros(len(index.names), dtype=np.int64)
        self._put_off: list[list[int]] = [[] for _ in index.names]

    def take(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The next counts[b] prompts of every bucket b, bucket after bucket, without those that admission skips."""
        ends = (self._taken // self.index.sizes + 1) * self.index.sizes
        put_off = any(self._put_off)
        prompts = self._put_off_then_next(counts) if put_off else self._next(counts)
        buckets = np.repeat(np.arange(len(counts)), counts)
        if self.admission is not None:
            self._replace_refused(prompts, buckets)
        if put_off or (self._taken > ends).any():  # only then can two shuffles meet in one batch
            self._replace_repeated(prompts, buckets, counts)
        return prompts

    def _put_off_then_next(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        first = [waiting[:count] for waiting, count in zip(self._put_off, counts, strict=True)]
        self._put_off = [waiting[count:] for waiting, count in zip(self._put_off, counts, strict=True)]
        rest = counts - np.array([len(waiting) for waiting in first])
        following = np.split(self._next(rest), np.cumsum(rest)[:-1])
        parts = [part for pair in zip(first, following, strict=True) for part in pair]
        return np.concatenate(parts).astype(np.int64)

    def admitted(self, prompts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which prompts admission lets through now; the others are counted as skipped."""
        if self.admission is None:
            return np.ones(len(prompts), dtype=bool)
        admitted = self.admission.admits(prompts)
        self._skipped += np.bincount(self.index.bucket_of(prompts[~admitted]), minlength=len(self._skipped))
        return admitted

    def _replace_refused(self, prompts: NDArray[np.int64], buckets: NDArray[np.int64]) -> None:
        pending = np.arange(len(prompts))
        for _ in range(ADMISSION_ROUNDS):
            pending = pending[~self.admitted(prompts[pending])]
            if not pending.size:
                break
            prompts[pending] = self._next(np.bincount(buckets[pending], minlength=len(self._taken)))

    def _replace_repeated(
        self, prompts: NDArray[np.int64], buckets: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> None:
        enough = (counts <= self.index.sizes)[buckets]
        while True:
            repeated = enough.copy()
            repeated[np.unique(prompts, return_index=True)[1]] = False
            if not repeated.any():
                return
            for bucket, prompt in zip(buckets[repeated].tolist(), prompts[repeated].tolist(), strict=True):
                self._put_off[bucket].append(prompt)
            prompts[repeated] = self._next(np.bincount(buckets[repeated], minlength=len(counts)))

    def _next(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        bucket = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(bucket)) - np.repeat(np.cumsum(counts) - counts, counts)
        epoch, position = np.divmod(self._taken[bucket] + within, self.index.sizes[bucket])
        self._taken = self._taken + counts
        keys = mix64(self._keys[bucket] + epoch.astype(np.uint64))
        return self.index.offsets[bucket] + permute(position, self.index.sizes[bucket], keys)

    def state_dict(self) -> dict[str, Any]:
        """How many prompts each bucket gave out and skipped, and what it put off."""
        return {
            "taken": self._taken.tolist(),
            "skipped": self._skipped.tolist(),
            "put_off": [list(waiting) for waiting in self._put_off],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved walk stood."""
        self._taken = np.array(state["taken"], dtype=np.int64)
        self._skipped = np.array(state["skipped"], dtype=np.int64)
        self._put_off = [list(waiting) for waiting in state["put_off"]]

    def metrics(self) -> dict[str, float]:
        """Prompts that admission skipped, by bucket."""
        if self.admission is None:
            return {}
        return {f"skipped/{name}": float(count) for name, count in self.index.by_name(self._skipped).items()}
