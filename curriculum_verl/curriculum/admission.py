"""Admission: which prompts are worth skipping because their recent groups had no variance."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.randomness import RandomStream

_LONGEST = 6  # a longer streak waits no longer: 2^5 times retry_after


class Admission:
    """Skips a prompt after groups without variance, with a chance of another try that grows until it is certain.

    After a streak of z such groups, the last of them `age` steps ago, the chance is
    max(min_chance, min(1, age / (retry_after * 2^(z - 1)))): no prompt is ever excluded for good. A group with variance
    ends the streak. The idea of skipping by past variance is GRESO's (Zheng et al. 2025); the growing chance is ours.
    """

    def __init__(self, prompts: int, seed: int, *, retry_after: float, min_chance: float):
        self._streak = np.zeros(prompts, dtype=np.uint8)
        self._seen = np.zeros(prompts, dtype=np.uint32)
        self._random = RandomStream(seed, "admission")
        self._retry_after = retry_after
        self._min_chance = min_chance
        self._step = 0

    def chance(self, prompts: NDArray[np.int64]) -> NDArray[np.float64]:
        """The chance of each prompt to be admitted now."""
        streak = self._streak[prompts]
        chance = np.ones(len(prompts))
        waiting = np.flatnonzero(streak)
        wait = self._retry_after * np.exp2(streak[waiting].astype(np.float64) - 1)
        grown = (self._step - self._seen[prompts[waiting]].astype(np.float64)) / wait
        chance[waiting] = np.clip(grown, self._min_chance, 1.0)
        return chance

    def admits(self, prompts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """A draw from that chance."""
        return self._random.next().random(len(prompts)) < self.chance(prompts)

    def observe(self, prompts: NDArray[np.int64], informative: NDArray[np.bool_]) -> None:
        """One step's groups: lengthen or end the streaks."""
        self._step += 1
        streak = np.minimum(self._streak[prompts] + 1, _LONGEST)
        self._streak[prompts] = streak
        self._streak[prompts[informative]] = 0
        self._seen[prompts] = self._step

    def state_dict(self) -> dict[str, Any]:
        """Steps, random stream, and of every prompt its streak and when it was seen."""
        return {
            "step": self._step,
            "random": self._random.state_dict(),
            "streak": self._streak.copy(),
            "seen": self._seen.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved rule stood."""
        self._step = int(state["step"])
        self._random.load_state_dict(state["random"])
        self._streak = np.array(state["streak"], dtype=np.uint8)
        self._seen = np.array(state["seen"], dtype=np.uint32)

    def metrics(self) -> dict[str, float]:
        """Nothing that can be told without reading every prompt; what is skipped is counted where it is drawn."""
        return {}
