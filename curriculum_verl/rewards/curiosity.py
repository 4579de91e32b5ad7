"""R_curiosity: exploration, judged for all responses to one prompt together."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from curriculum_verl.rewards.novelty import Novelty
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.settings import CuriositySettings, Operations
from curriculum_verl.rewards.trajectory import read_response
from curriculum_verl.rewards.usage import Trace, efficiency, looping, tool_counts, tool_use_rate

Group = Sequence[Trace]


def trace_response(response: Response, settings: CuriositySettings, operations: Operations) -> Trace:
    """What a reward worker sends to the trainer of one response; of a text that is none, an empty trace."""
    trajectory = read_response(response, operations)
    return Trace() if trajectory is None else Trace.of(trajectory, operations, settings.digits)


class Curiosity:
    """Scores groups against counts of the steps before. Scoring changes nothing; `observe` is called once a step.

    It lives in the one process that sees whole groups. The order of groups, and of responses in them, changes nothing.
    """

    def __init__(self, settings: CuriositySettings | None = None, operations: Operations | None = None):
        self._settings = settings or CuriositySettings()
        self._operations = operations or Operations()
        self._novelty = Novelty(self._settings.decay, self._settings.most_states)
        self._step = -1
        self._metrics: dict[str, float] = {}

    def score_groups(self, groups: Sequence[Group]) -> list[list[Score]]:
        """A score from -1 to 1 for every response, in the order given."""
        return [self._score_group(group) for group in groups]

    def _score_group(self, group: Group) -> list[Score]:
        rate = tool_use_rate(group)
        return [self._score(trace, rate) for trace in group]

    def _score(self, trace: Trace, rate: float) -> Score:
        s = self._settings
        parts = {
            "rate_bonus": max(s.target - rate, 0.0) if trace.uses_tools else 0.0,
            "excess": float(min(s.most_operations - trace.attempts, 0)),
            "novelty": self._newness(trace),
        }
        value = (
            s.rate_weight * parts["rate_bonus"]
            + s.excess_weight * parts["excess"]
            + s.novelty_weight * parts["novelty"]
        )
        described = {"group_rate": rate, "efficiency": efficiency(trace), "looping": looping(trace)}
        return Score(min(1.0, max(-1.0, value)), parts | described)

    def _newness(self, trace: Trace) -> float:
        """The mean newness of all attempts by weight; a malformed call, or one made before, is not new."""
        weigh = self._operations.weights
        total = sum(weigh.get(name, 0.0) for name, _ in trace.operations) + trace.malformed
        total += trace.calls - len(trace.operations)
        new = sum(
            weigh.get(name, 0.0) * self._novelty.value(_state(name, arguments), self._step + 1)
            for name, arguments in sorted(set(trace.operations))
        )
        return new / total if total > 0 else 0.0

    def observe(self, step: int, groups: Sequence[Group]) -> None:
        """Count what the step's responses did, each state once a response; a step that was counted is ignored."""
        if step <= self._step:
            return
        traces = [trace for group in groups for trace in group]
        self._step = step
        self._novelty.observe(step, Counter(_state(*call) for trace in traces for call in set(trace.operations)))
        self._metrics = self._summary(traces)

    def _summary(self, traces: Sequence[Trace]) -> dict[str, float]:
        counts = tool_counts(traces)
        listed = counts.total()
        attempts = sum(trace.attempts for trace in traces)
        users = sorted((efficiency(trace), looping(trace)) for trace in traces if trace.attempts)
        return {
            "tool_use_rate": tool_use_rate(traces),
            "attempts_per_response": attempts / len(traces) if traces else 0.0,
            "malformed_share": sum(trace.malformed for trace in traces) / attempts if attempts else 0.0,
            "efficiency": fmean(found for found, _ in users) if users else 0.0,
            "looping": fmean(found for _, found in users) if users else 0.0,
            **{
                f"tools/{name}": counts[name] / listed if listed else 0.0
                for name in self._operations.weights
                if name not in self._operations.thoughts
            },
        }

    def state_dict(self) -> dict[str, Any]:
        """The counts, the last step and its metrics; plain values of bounded number."""
        return {"step": self._step, "states": self._novelty.state_dict(), "metrics": dict(self._metrics)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved state stood."""
        self._step = state["step"]
        self._novelty.load_state_dict(state["states"])
        self._metrics = dict(state["metrics"])

    def metrics(self) -> dict[str, float]:
        """What the last step's responses did, and how many states are known."""
        return {**self._metrics, "states": float(len(self._novelty))}


def _state(name: str, arguments: int) -> str:
    return f"{name} {arguments:08x}"
