"""Traces that were written by hand: every number in them is another."""

import numpy as np

from curriculum_verl.curriculum import Alert, CurriculumConfig, Transition, load_config
from curriculum_verl.simulation.run import Trace

BLOCK = {
    "stages": [
        {"name": "first", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 1}},
        {"name": "second", "mix": {"hard": 1.0}, "exit": {"metric": "stage/steps", "at_least": 1}},
        {"name": "third", "mix": {"hard": 1.0}},
    ]
}


def two_bucket_config() -> CurriculumConfig:
    return load_config(BLOCK, ["easy", "hard"])


def eventful(harder: float = 0.0, *, stop: str | None = "enough") -> Trace:
    """Five steps: an advance after 2, a rollback after 4; the third stage is never entered."""
    return Trace(
        buckets=("easy", "hard"),
        stages=np.array([0, 0, 1, 1, 0]),
        prompts=np.array([[8, 0], [8, 0], [2, 6], [3, 5], [7, 1]]),
        tokens=np.array([[800.0, 0.0], [800, 0], [200, 1800], [300, 1500], [700, 300]]),
        success=np.array([0.75, 0.85, 0.25, 0.35, 0.65]),
        pass_rates=np.array([[0.7, 0.1], [0.72, 0.12], [0.74, 0.14], [0.70, 0.44], [0.66, 0.64], [0.8, 0.7 + harder]]),
        transitions=(
            Transition(2, "advance", "first", "second", "stage/steps at_least 2 (2)"),
            Transition(4, "rollback", "second", "first", "dropped by 0.08"),
        ),
        validations=3,
        warnings=("metric reward/coherence is unknown",),
        alarms=((3, "easy"), (4, "easy")),
        alerts=((4, Alert("stuck", "stage/steps at_least 2 (2)")), (5, Alert("stuck", "stage/steps at_least 2 (3)"))),
        stop=stop,
    )


def uneventful() -> Trace:
    """Four steps of the first stage."""
    return Trace(
        buckets=("easy", "hard"),
        stages=np.zeros(4, dtype=np.int64),
        prompts=np.array([[4, 4]] * 4),
        tokens=np.array([[400.0, 1100.0]] * 4),
        success=np.array([0.5] * 4),
        pass_rates=np.array([[0.7, 0.1 + step / 10] for step in range(5)]),
        transitions=(),
        validations=1,
        warnings=(),
        alarms=(),
        alerts=(),
        stop=None,
    )
