"""How new a state is: counts that fade from step to step, in bounded memory."""

from collections.abc import Mapping
from typing import Any

_KEPT_WHEN_FULL = 0.9  # of the states, so that not every step has to sort them


class Novelty:
    """Counts the responses that reached a state; the value of a state is 1 / sqrt(1 + its count).

    A count fades by `decay` a step. When there are more than `most_states`, those that count least are forgotten.
    """

    def __init__(self, decay: float, most_states: int):
        self._decay, self._most = decay, most_states
        self._states: dict[str, tuple[float, int]] = {}  # the count, and the step at which it was that much

    def __len__(self) -> int:
        return len(self._states)

    def value(self, state: str, step: int) -> float:
        """How new the state is at a step, from 0 to 1."""
        return float((1.0 + self._count(state, step)) ** -0.5)

    def _count(self, state: str, step: int) -> float:
        count, seen = self._states.get(state, (0.0, step))
        return count * self._decay ** max(0, step - seen)

    def observe(self, step: int, reached: Mapping[str, int]) -> None:
        """Count the responses that reached each state in this step."""
        for state, responses in reached.items():
            self._states[state] = (self._count(state, step) + responses, step)
        if len(self._states) > self._most:
            keep = max(1, int(self._most * _KEPT_WHEN_FULL))
            order = sorted(self._states, key=lambda state: (-self._count(state, step), state))
            self._states = {state: self._states[state] for state in order[:keep]}

    def state_dict(self) -> dict[str, Any]:
        """Every count with its step."""
        return {state: list(self._states[state]) for state in sorted(self._states)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the saved counts stood."""
        self._states = {name: (float(count), int(seen)) for name, (count, seen) in state.items()}
