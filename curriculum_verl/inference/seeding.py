"""Random numbers that depend on what is sampled, and on nothing else.

A response is drawn with numbers that follow from (rollout seed, training step, prompt, its how-manieth sending in that
step, which of its samples, token position). The order of requests, their batching, the number of processes and verl's
random uids play no part, so a run that was killed and resumed generates what it would have generated.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any


def fold(*parts: Any) -> int:
    """A seed of 63 bits from plain values; the same in every process and on every machine."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def uniform(seed: int, position: int) -> float:
    """A number in [0, 1) for the token at this position of the sequence: no state, so no order can disturb it."""
    return (fold(seed, position) >> 10) / 2**53


class PromptSeeds:
    """Seeds for prompts as they are sent: a prompt sent twice in a step gets two, a validation always the same ones."""

    def __init__(self, rollout_seed: int) -> None:
        self._rollout_seed = rollout_seed
        self._step: int | None = None
        self._sent: Counter[int] = Counter()

    def seeds(self, step: int, validate: bool, prompts: Sequence[tuple[Any, Any]]) -> list[int]:
        """One seed for each (index, messages)."""
        if validate:
            sent: Counter[int] = Counter()
        else:
            if step != self._step:
                self._step, self._sent = step, Counter()
            sent = self._sent
        found = []
        for index, messages in prompts:
            prompt = fold(index, messages)
            found.append(fold(self._rollout_seed, step, validate, prompt, sent[prompt]))
            sent[prompt] += 1
        return found
