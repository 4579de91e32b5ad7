"""Rules: what a condition makes of a metric's readings, one after the other."""

import math
from collections import deque
from statistics import NormalDist
from typing import Any, Protocol

from curriculum_verl.curriculum.config import MetricCondition
from curriculum_verl.curriculum.tracker import Reading, least_squares_slope


class Rule(Protocol):
    """Sees one reading per evaluation; `test` names it, `value` is what it holds against `threshold`."""

    test: str
    threshold: float
    value: float | None

    def observe(self, reading: Reading) -> None:
        """One evaluation."""

    @property
    def met(self) -> bool:
        """Whether the rule holds for the readings so far."""

    def state_dict(self) -> dict[str, Any]:
        """A snapshot in plain values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved rule stood."""


def build_rule(config: MetricCondition) -> Rule:
    """The rule of a condition, without history."""
    if config.above is not None:
        return _Compare("above", config.above)
    if config.below is not None:
        return _Compare("below", config.below)
    if config.at_least is not None:
        return _Compare("at_least", config.at_least)
    if config.confident_above is not None:
        return _ConfidentAbove(config.confident_above, config.confidence)
    if config.plateau is not None:
        return _Plateau(config.plateau.evals, config.plateau.slope_below, config.plateau.patience)
    assert config.patience is not None  # the config has exactly one test
    return _Patience(config.patience.evals, config.patience.min_delta, config.patience.mode)


class _Compare:
    """The window's mean against a threshold."""

    def __init__(self, test: str, threshold: float):
        self.test, self.threshold = test, threshold
        self.value: float | None = None

    def observe(self, reading: Reading) -> None:
        self.value = reading.mean

    @property
    def met(self) -> bool:
        if self.value is None:
            return False
        if self.test == "above":
            return self.value > self.threshold
        return self.value < self.threshold if self.test == "below" else self.value >= self.threshold

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = state["value"]


class _ConfidentAbove(_Compare):
    """The lower confidence bound of a rate, over all trials of the window, against a threshold."""

    def __init__(self, threshold: float, confidence: float):
        super().__init__("above", threshold)
        self.test = f"with {confidence:g} confidence above"
        self._z = NormalDist().inv_cdf(confidence)

    def observe(self, reading: Reading) -> None:
        is_rate = reading.trials > 0 and 0 <= reading.rate <= 1
        self.value = wilson_lower(reading.rate, reading.trials, self._z) if is_rate else None

    @property
    def met(self) -> bool:
        return self.value is not None and self.value > self.threshold


class _Plateau:
    """The slope over the last evaluations stayed below a threshold, `patience` evaluations in a row."""

    test = "slope below"

    def __init__(self, evals: int, slope_below: float, patience: int):
        self.threshold = slope_below
        self.value: float | None = None
        self._readings: deque[float] = deque(maxlen=evals)
        self._patience = patience
        self._flat = 0

    def observe(self, reading: Reading) -> None:
        self._readings.append(reading.mean)
        if len(self._readings) == self._readings.maxlen:
            self.value = least_squares_slope(self._readings)
            self._flat = self._flat + 1 if self.value < self.threshold else 0

    @property
    def met(self) -> bool:
        return self._flat >= self._patience

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value, "readings": list(self._readings), "flat": self._flat}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value, self._flat = state["value"], int(state["flat"])
        self._readings.clear()
        self._readings.extend(state["readings"])


class _Patience:
    """No improvement by more than `min_delta` for so many evaluations after the best one."""

    test = "evaluations without improvement, at least"

    def __init__(self, evals: int, min_delta: float, mode: str):
        self.threshold = float(evals)
        self.value: float | None = None
        self._min_delta = min_delta
        self._sign = 1.0 if mode == "max" else -1.0
        self._best = -math.inf

    def observe(self, reading: Reading) -> None:
        score = self._sign * reading.mean
        if self.value is None or score > self._best + self._min_delta:
            self._best, self.value = score, 0.0
        else:
            self.value += 1.0

    @property
    def met(self) -> bool:
        return self.value is not None and self.value >= self.threshold

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value, "best": None if self.value is None else self._best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = state["value"]
        self._best = -math.inf if state["best"] is None else state["best"]


def wilson_lower(rate: float, trials: int, z: float) -> float:
    """The lower end of Wilson's score interval (1927) for a rate seen in so many trials."""
    z2 = z * z
    centre = rate + z2 / (2 * trials)
    margin = z * math.sqrt(max(rate * (1 - rate), 0.0) / trials + z2 / (4 * trials * trials))
    return (centre - margin) / (1 + z2 / trials)
