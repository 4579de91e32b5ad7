"""The latest validation: one score per bucket, what it comes to on a mix, and which buckets are being forgotten."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from curriculum_verl.curriculum.tracker import Rate, Tracker


class Validation:
    """Holds the scores of the latest validated step; several reports for one step are one validation."""

    def __init__(self, buckets: Sequence[str], tracker: Tracker, forgetting_alarm: float):
        self._buckets = buckets
        self._tracker = tracker
        self._forgetting_alarm = forgetting_alarm
        self._alarms: list[str] = []
        self.step = -1
        self.scores: dict[str, float] = {}
        self._trials: dict[str, int] = {}

    def observe(self, step: int, scores: Mapping[str, float | Rate], mix: Mapping[str, float]) -> list[str]:
        """Take a report of known buckets, track it as `val/...`; returns the buckets whose alarm is new."""
        if step != self.step:
            self.step, self.scores, self._trials = step, {}, {}
        for bucket, given in scores.items():
            rate = given if isinstance(given, Rate) else Rate(given, 0)
            if math.isfinite(rate.value):
                self.scores[bucket], self._trials[bucket] = float(rate.value), rate.trials
        measured: dict[str, float | Rate] = {f"val/{bucket}/score": given for bucket, given in scores.items()}
        whole = self.on(mix)
        if whole is not None:
            measured["val/score"] = Rate(whole, self._trials_on(mix))
        self._tracker.observe(step, measured)
        return self._raise_alarms()

    def on(self, mix: Mapping[str, float]) -> float | None:
        """The mean score on a mix; None if one of its buckets has no score."""
        if self.missing(mix):
            return None
        return math.fsum(share * self.scores[bucket] for bucket, share in mix.items() if share > 0)

    def missing(self, mix: Mapping[str, float]) -> list[str]:
        """The buckets of a mix that have no score."""
        return [bucket for bucket, share in mix.items() if share > 0 and bucket not in self.scores]

    def _trials_on(self, mix: Mapping[str, float]) -> int:
        """The plain trials that a weighted mean of rates is worth: 1 / sum(share^2 / trials); 0 if one is no rate."""
        members = [(share, self._trials[bucket]) for bucket, share in mix.items() if share > 0]
        if not all(trials for _, trials in members):
            return 0
        return math.floor(1.0 / math.fsum(share * share / trials for share, trials in members) + 1e-9)

    def forgetting(self) -> dict[str, float]:
        """By bucket, how far the latest score is below the best one so far (0 or negative)."""
        best = {bucket: self._tracker.best(f"val/{bucket}/score") for bucket in self.scores}
        return {bucket: min(0.0, self.scores[bucket] - high) for bucket, high in best.items() if high is not None}

    def _raise_alarms(self) -> list[str]:
        forgotten = [bucket for bucket, drop in self.forgetting().items() if drop < self._forgetting_alarm]
        new = [bucket for bucket in forgotten if bucket not in self._alarms]
        self._alarms = [bucket for bucket in self._alarms if bucket not in self.scores] + forgotten
        return new

    def state_dict(self) -> dict[str, Any]:
        """Step, scores with their trials, and raised alarms."""
        return {
            "step": self.step,
            "scores": dict(self.scores),
            "trials": dict(self._trials),
            "alarms": list(self._alarms),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved validation stood."""
        self.step = int(state["step"])
        self.scores, self._trials, self._alarms = dict(state["scores"]), dict(state["trials"]), list(state["alarms"])

    def metrics(self) -> dict[str, float]:
        """Forgetting by bucket and the number of raised alarms."""
        return {f"forgetting/{bucket}": drop for bucket, drop in self.forgetting().items()} | {
            "forgetting_alarms": float(len(self._alarms))
        }
