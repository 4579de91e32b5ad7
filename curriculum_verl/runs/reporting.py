"""What the run tells about its curriculum: log, verl's trackers, and the metrics file."""

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.curriculum.decisions import Decision, Transition
from curriculum_verl.runs.metrics_file import MetricsFile, numbers

logger = logging.getLogger(__name__)

EVENT = "curriculum/event"
REASON = "curriculum/reason"
TAKES_TEXT = ("wandb", "file")  # trackers of verl whose log() accepts text beside numbers


class Reporter:
    """Says of every decision what it was and why, in each place where people look."""

    def __init__(self, path: Path, curriculum: Curriculum, rollouts: str | None = None):
        self._file = MetricsFile(path)
        self._curriculum = curriculum
        self._rollouts = None if rollouts is None else os.path.relpath(rollouts, path.parent)
        self._stop_told = False  # every decision after it says so too

    def begin(self, step: int) -> None:
        """A process begins, after this step."""
        stages = [stage.name for stage in self._curriculum.config.stages]
        buckets = list(self._curriculum.index.names)
        self._file.write("start", step, stages=stages, buckets=buckets, rollouts=self._rollouts)

    def step(self, step: int, metrics: Mapping[str, Any]) -> None:
        """All that is known of a step."""
        tests = [asdict(status) for status in self._curriculum.end_statuses()]
        self._file.write("step", step, stage=self._curriculum.stage.name, exit=tests, metrics=numbers(metrics))

    def validation(self, step: int, metrics: Mapping[str, Any]) -> None:
        """All that a validation showed, also one before training or after its end."""
        self._file.write("validation", step, stage=self._curriculum.stage.name, metrics=numbers(metrics))

    def decision(self, decision: Decision, tracking: Any) -> dict[str, float]:
        """Tell of a decision; returns the events as numbers, for the step's metrics."""
        events: dict[str, float] = {}
        for transition in decision.transitions:
            events[f"{EVENT}/{transition.kind}"] = 1.0
            self._file.write(transition.kind, transition.step, **_content(transition))
            self._say(in_words(transition), decision.step, tracking)
        for bucket in decision.alarms:
            events[f"{EVENT}/forgetting"] = 1.0
            self._file.write("alarm", decision.step, bucket=bucket)
            self._say(f"bucket {bucket} is being forgotten", decision.step, tracking)
        for warning in decision.warnings:  # the engine has logged it
            self._file.write("warning", decision.step, message=warning)
        if decision.stop is not None and not self._stop_told:
            self._stop_told = True
            self._file.write("stop", decision.step, reason=decision.stop)
            self._say(f"the run ends: {decision.stop}", decision.step, tracking)
        return events

    def _say(self, text: str, step: int, tracking: Any) -> None:
        logger.warning("curriculum, step %d: %s", step, text)
        if tracking is not None:  # verl has none yet while it loads a checkpoint
            tracking.log(data={REASON: text}, step=step, backend=TAKES_TEXT)
            if "tensorboard" in tracking.logger:
                tracking.logger["tensorboard"].writer.add_text(REASON, text, step)


def in_words(transition: Transition) -> str:
    """A transition as a line of a log."""
    return f"{transition.kind} from {transition.source} to {transition.target}: {transition.reason}"


def _content(transition: Transition) -> dict[str, Any]:
    return {name: value for name, value in asdict(transition).items() if name not in ("kind", "step")}
