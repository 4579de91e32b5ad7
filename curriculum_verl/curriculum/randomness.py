"""Randomness that resumes exactly: every use is keyed by (seed, name, how many came before), never by hidden state."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection of 64-bit words in which every input bit moves every output bit (SplitMix64's finaliser)."""
    values = values ^ (values >> np.uint64(30))
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


def key_of(seed: int, *parts: int) -> int:
    """One 64-bit key for a seed and numbers such as a bucket or an epoch."""
    word = np.array([seed & _MASK], dtype=np.uint64)
    for part in parts:
        word = mix64(word + np.uint64((part * _GOLDEN + _GOLDEN) & _MASK))
    return int(mix64(word)[0])


class RandomStream:
    """A stream of generators; its whole state is the count of those already given out."""

    def __init__(self, seed: int, name: str):
        self._key = key_of(seed, *name.encode())
        self._count = 0

    def next(self) -> np.random.Generator:
        """A fresh generator, the same for the same seed, name and count on every machine."""
        self._count += 1
        return np.random.Generator(np.random.Philox(key=self._key, counter=self._count << 64))

    def state_dict(self) -> dict[str, Any]:
        """The count."""
        return {"count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved stream stood."""
        self._count = int(state["count"])
