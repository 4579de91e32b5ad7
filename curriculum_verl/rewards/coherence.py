"""R_coherence: the quality of one trajectory by itself, from -1 to 1."""

from collections.abc import Mapping

import numpy as np

from curriculum_verl.dotted import load_dotted
from curriculum_verl.rewards.repetition import loop_share, repeated_share
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.settings import CoherenceSettings, Operations
from curriculum_verl.rewards.trajectory import Trajectory, read_response
from curriculum_verl.rewards.vectors import similarities

_MARKER_LENGTH = 80  # characters: only the beginning of a step is looked at


class Coherence:
    """The weighted mean of six parts, each from -1 to 1. A part that has nothing to judge counts 0, and its weight
    still divides: a terse response earns neither praise nor blame.
    """

    def __init__(self, settings: CoherenceSettings | None = None, operations: Operations | None = None):
        self._settings = settings or CoherenceSettings()
        self._operations = operations or Operations()
        self._embed = load_dotted(self._settings.embed) if self._settings.embed else None
        self._markers = tuple(marker.lower() for marker in self._settings.markers)

    def score(self, response: Response) -> Score:
        """Read the response and judge it."""
        trajectory = read_response(response, self._operations)
        if trajectory is None:
            return Score(None, failure=f"response text: got {type(response.text).__name__}, expected str")
        return self.judge(trajectory)

    def judge(self, trajectory: Trajectory) -> Score:
        """The score of a trajectory that was read before."""
        try:
            measured = self._measure(trajectory)
        except Exception as error:  # a user's embedding may fail in any way: it costs one response, not the run
            return Score(None, failure=f"{type(error).__name__}: {error}")
        parts = self._parts(measured)
        weights = self._settings.weights
        total = sum(getattr(weights, name) * part for name, part in parts.items())
        value = min(1.0, max(-1.0, total / weights.total()))
        counts = {
            "steps": float(len(trajectory.steps)),
            "operations": float(len(trajectory.operations)),
            "malformed": float(trajectory.malformed),
            "quoted": float(trajectory.quoted),
        }
        return Score(value, {**parts, **counts})

    def _parts(self, measured: Mapping[str, float | None]) -> dict[str, float]:
        s = self._settings
        scores = {"repetition": s.repetition, "loops": s.loops, "backtracking": s.backtracking}
        return {
            name: 0.0 if share is None else scores[name].score(share) if name in scores else 2.0 * share - 1.0
            for name, share in measured.items()
        }

    def _measure(self, trajectory: Trajectory) -> dict[str, float | None]:
        """The share behind each part, None where there is nothing to judge."""
        steps, operations, window = trajectory.steps, trajectory.operations, self._settings.window
        text = "\n".join(steps).encode("utf-8", "surrogatepass")
        made = [(operation.name, operation.arguments) for operation in operations]
        return {
            "repetition": repeated_share(text, window) if len(text) >= 2 * window else None,
            "loops": max((loop_share(items) for items in (steps, made) if len(items) > 1), default=None),
            "progress": self._progress(steps),
            "backtracking": self._backtracking(steps),
            "calls": 1.0 - trajectory.malformed / len(operations) if operations else None,
            "order": self._order(trajectory),
        }

    def _progress(self, steps: tuple[str, ...]) -> float | None:
        """The share of consecutive steps, short ones left out, that neither repeat nor leave the topic."""
        s = self._settings
        compared = [step for step in steps if len(step) >= s.least_step]
        if len(compared) < 2:
            return None
        found = similarities(compared, self._embed)
        return float(np.count_nonzero((found >= s.same_topic) & (found <= s.same_step))) / len(found)

    def _backtracking(self, steps: tuple[str, ...]) -> float | None:
        """The share of steps that begin by taking something back."""
        if len(steps) < 2:
            return None
        return sum(step[:_MARKER_LENGTH].lower().startswith(self._markers) for step in steps) / len(steps)

    def _order(self, trajectory: Trajectory) -> float | None:
        """The share of well-formed calls that come before the answer and after one that they need."""
        in_time = len(trajectory.operations) - trajectory.late
        seen: set[str] = set()
        sensible = []
        for position, operation in enumerate(trajectory.operations):
            if operation.fault is None:
                needed = self._operations.needs.get(operation.name)
                sensible.append(position < in_time and (needed is None or not seen.isdisjoint(needed)))
                seen.add(operation.name)
        return sum(sensible) / len(sensible) if sensible else None
