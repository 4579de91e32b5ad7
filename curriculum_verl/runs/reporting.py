"""What the run tells about its curriculum: log, trackers, metrics file and webhook."""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.curriculum.decisions import Decision, Transition
from curriculum_verl.describe import describe_condition
from curriculum_verl.runs.metrics_file import MetricsFile, numbers
from curriculum_verl.runs.webhook import find_webhook
from curriculum_verl.words import printable

logger = logging.getLogger(__name__)

EVENT = "curriculum/event"
REASON = "curriculum/reason"
STAGE_NAME = "curriculum/stage_name"
TAKES_TEXT = ("wandb", "file")  # trackers of verl whose log() accepts text beside numbers


class Reporter:
    """Says of every decision what it was and why, in each place where people look."""

    def __init__(self, path: Path, curriculum: Curriculum, rollouts: str | None = None):
        self._file = MetricsFile(path)
        self._curriculum = curriculum
        self._rollouts = None if rollouts is None else os.path.relpath(rollouts, path.parent)
        self._webhook = find_webhook(curriculum.config.webhook)
        self._run = str(path.parent)
        self._stage_told: str | None = None
        self._stop_told = False  # every decision after it says so too

    def begin(self, step: int) -> None:
        """A process begins, after this step."""
        config = self._curriculum.config
        ends = {stage.name: describe_condition(stage.exit) for stage in config.stages if stage.exit is not None}
        if config.stop is not None:
            ends[config.stages[-1].name] = describe_condition(config.stop)
        stages, buckets = [stage.name for stage in config.stages], list(self._curriculum.index.names)
        self._file.write("start", step, stages=stages, ends=ends, buckets=buckets, rollouts=self._rollouts)

    def step(self, step: int, metrics: Mapping[str, Any], tracking: Any = None) -> None:
        """All that is known of a step; trackers that take text hear the stage's name when it is another."""
        tests = [asdict(status) for status in self._curriculum.end_statuses()]
        self._file.write("step", step, stage=self._curriculum.stage.name, exit=tests, metrics=numbers(metrics))
        if tracking is not None and self._curriculum.stage.name != self._stage_told:
            self._stage_told = self._curriculum.stage.name
            _log_text(tracking, STAGE_NAME, self._stage_told, step)

    def validation(self, step: int, metrics: Mapping[str, Any]) -> None:
        """All that a validation showed, also one before training or after its end."""
        self._file.write("validation", step, stage=self._curriculum.stage.name, metrics=numbers(metrics))

    def decision(self, decision: Decision, tracking: Any) -> dict[str, float]:
        """Tell of a decision; returns the events as numbers, for the step's metrics."""
        events: dict[str, float] = {}
        for transition in decision.transitions:
            events[f"{EVENT}/{transition.kind}"] = 1.0
            self._tell(transition.kind, transition.step, in_words(transition), tracking, **_content(transition))
        for bucket in decision.alarms:
            events[f"{EVENT}/forgetting"] = 1.0
            self._tell("alarm", decision.step, f"bucket {bucket} is being forgotten", tracking, bucket=bucket)
        for alert in decision.alerts:
            events[f"{EVENT}/alert/{alert.name}"] = 1.0
            text = f"alert {alert.name} in stage {self._curriculum.stage.name}: {alert.reason}"
            self._tell("alert", decision.step, text, tracking, **asdict(alert))
        for warning in decision.warnings:  # the engine has logged it
            self._file.write("warning", decision.step, message=warning)
        if decision.stop is not None and not self._stop_told:
            self._stop_told = True
            self._tell("stop", decision.step, f"the run ends: {decision.stop}", tracking, reason=decision.stop)
        return events

    def close(self) -> None:
        """The run has ended by itself; waits a little for what the webhook has not posted yet."""
        self._file.write("end", self._curriculum.step)
        if self._webhook is not None:
            self._webhook.close()

    def _tell(self, kind: str, step: int, text: str, tracking: Any, **content: Any) -> None:
        self._file.write(kind, step, **content)
        said = f"curriculum, step {step}: {printable(text)}"
        logger.warning("%s", said)
        if self._webhook is not None:
            about = {"time": time.time(), "run": self._run, "stage": self._curriculum.stage.name}
            self._webhook.send({"kind": kind, "step": step, "text": said, **about, **content})
        _log_text(tracking, REASON, text, step)


def _log_text(tracking: Any, name: str, text: str, step: int) -> None:
    if tracking is None:  # verl has none yet while it loads a checkpoint
        return
    tracking.log(data={name: text}, step=step, backend=TAKES_TEXT)
    if "tensorboard" in tracking.logger:
        tracking.logger["tensorboard"].writer.add_text(name, text, step)


def in_words(transition: Transition) -> str:
    """A transition as a line of a log."""
    return f"{transition.kind} from {transition.source} to {transition.target}: {transition.reason}"


def _content(transition: Transition) -> dict[str, Any]:
    return {name: value for name, value in asdict(transition).items() if name not in ("kind", "step")}
