"""The latest validation: one score per bucket, what it comes to on a mix, and which buckets are being forgotten."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from curriculum_verl.curriculum.tracker import Rate, Tracker

LEVEL_RATE = 0.2  # how fast a bucket's level follows its scores


class Validation:
    """Holds the scores of the latest validated step; several reports for one step are one validation."""

    def __init__(self, tracker: Tracker, forgetting_alarm: float):
        self._tracker = tracker
        self._forgetting_alarm = forgetting_alarm
        self._alarms: list[str] = []
        self.step = -1
        self.scores: dict[str, float] = {}
        self._trials: dict[str, int] = {}
        self._level: dict[str, float] = {}
        self._best: dict[str, float] = {}

    def observe(
        self, step: int, scores: Mapping[str, float | Rate], mix: Mapping[str, float], taught: Sequence[str]
    ) -> list[str]:
        """Take a report of known buckets, track it as `val/...`; returns the taught buckets whose alarm is new."""
        if step != self.step:
            self.step, self.scores, self._trials = step, {}, {}
        for bucket, given in scores.items():
            rate = given if isinstance(given, Rate) else Rate(given, 0)
            if math.isfinite(rate.value) and bucket not in self.scores:
                self.scores[bucket], self._trials[bucket] = float(rate.value), rate.trials
                self._follow(bucket, float(rate.value), taught)
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

    def _follow(self, bucket: str, score: float, taught: Sequence[str]) -> None:
        """Move the bucket's level; only what was taught can be forgotten."""
        if bucket in taught:
            level = self._level.get(bucket, score)
            self._level[bucket] = level + LEVEL_RATE * (score - level)
            self._best[bucket] = max(self._best.get(bucket, -math.inf), self._level[bucket])

    def forgetting(self) -> dict[str, float]:
        """By taught bucket, how far its level is below its best so far (0 or negative).

        The level is an exponential average: the best of many noisy scores would lie above what was ever known.
        """
        return {bucket: level - self._best[bucket] for bucket, level in self._level.items()}

    def _raise_alarms(self) -> list[str]:
        forgotten = [bucket for bucket, drop in self.forgetting().items() if drop < self._forgetting_alarm]
        new = [bucket for bucket in forgotten if bucket not in self._alarms]
        self._alarms = forgotten
        return new

    def state_dict(self) -> dict[str, Any]:
        """Step, scores with their trials, levels, and raised alarms."""
        return {
            "step": self.step,
            "scores": dict(self.scores),
            "trials": dict(self._trials),
            "alarms": list(self._alarms),
            "level": dict(self._level),
            "best": dict(self._best),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved validation stood."""
        self.step = int(state["step"])
        self.scores, self._trials, self._alarms = dict(state["scores"]), dict(state["trials"]), list(state["alarms"])
        self._level, self._best = dict(state["level"]), dict(state["best"])

    def metrics(self) -> dict[str, float]:
        """Forgetting by bucket and the number of raised alarms."""
        return {f"forgetting/{bucket}": drop for bucket, drop in self.forgetting().items()} | {
            "forgetting_alarms": float(len(self._alarms))
        }
