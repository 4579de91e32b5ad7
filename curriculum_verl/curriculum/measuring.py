"""What the tracker is told of a training step: the engine's own metrics, and the caller's as given."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.feedback import GroupScores
from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.curriculum.tracker import Rate
from curriculum_verl.errors import InputError


def measure(index: PromptIndex, rows: NDArray[np.int64], rewards: GroupScores) -> dict[str, float | Rate]:
    """Scores, pass rates and the share of groups with a signal: means over prompts, of all and by bucket."""
    if not len(rows):
        return {}
    buckets = index.bucket_of(rows)
    parts = {"train": np.ones(len(rows), dtype=bool)}
    parts |= {f"train/{index.names[bucket]}": buckets == bucket for bucket in np.unique(buckets)}
    measured: dict[str, float | Rate] = {}
    for prefix, members in parts.items():
        part = rewards.select(members)
        measured[f"{prefix}/score"] = float(part.mean.mean())
        measured[f"{prefix}/success_rate"] = Rate(float(part.pass_rate.mean()), part.effective_trials)
        if groups := int(part.comparable.sum()):
            measured[f"{prefix}/informative"] = Rate(float(part.informative[part.comparable].mean()), groups)
    return measured


def measurement(name: str, value: Any) -> float | Rate:
    """A metric as given by the caller, or an InputError that names it."""
    if isinstance(value, Rate):
        return value
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"metric {name}: got {value!r}, expected a number or a Rate") from error
