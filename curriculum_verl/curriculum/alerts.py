"""Alerts: conditions over the whole run that tell somebody, and change nothing."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from curriculum_verl.curriculum.conditions import Condition, MetricTest, build_condition
from curriculum_verl.curriculum.config import AlertConfig, MetricCondition
from curriculum_verl.curriculum.decisions import Alert
from curriculum_verl.curriculum.rules import build_rule
from curriculum_verl.curriculum.state import config_state
from curriculum_verl.curriculum.tracker import Tracker
from curriculum_verl.errors import unknown_name

logger = logging.getLogger(__name__)

OVERDUE = 50  # steps after which a metric that nobody has reported is called a mistake


class RunTest(MetricTest):
    """A test that outlives stages: a level is that of the run's last values, whatever stage they are of.

    What tests progress (plateau, patience) begins anew with every stage, whose mix and rewards move the level.
    """

    def __init__(self, config: MetricCondition):
        super().__init__(config)
        self._of_stage = config.plateau is not None or config.patience is not None
        self._began = -1

    def observe(self, tracker: Tracker, after: int) -> None:
        """Take the window's reading, if there is a new and full one."""
        if self._of_stage and after != self._began:
            self._began, self._rule = after, build_rule(self._config)
        super().observe(tracker, after if self._of_stage else -1)

    def state_dict(self) -> dict[str, Any]:
        """What was seen and since when, and the rule's own history."""
        return super().state_dict() | {"began": self._began}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved test stood."""
        super().load_state_dict(state)
        self._began = int(state["began"])


@dataclass(slots=True)
class _Watch:
    """One alert: its condition, and what it has said."""

    config: AlertConfig
    condition: Condition
    met: bool = False
    raised: int = -1  # the step at which it was last raised
    count: int = 0
    warned: bool = False

    def observe(self, tracker: Tracker, step: int, stage_start: int) -> Alert | None:
        self.condition.observe(tracker, stage_start)
        before, self.met = self.met, self.condition.met
        repeat = self.config.repeat
        again = repeat is not None and step - self.raised >= repeat
        if not self.met or (before and not again):
            return None
        self.raised, self.count = step, self.count + 1
        return Alert(self.config.name, "; ".join(map(str, self.condition.reasons())))

    def problems(self, tracker: Tracker, step: int) -> Iterator[str]:
        """Why the alert cannot be raised, as far as that is plain."""
        known = tracker.names()
        validated = any(name.startswith("val/") for name in known)
        for metric, problem in self.condition.problems(tracker, -1):
            if problem is not None:
                yield f"alert {self.config.name!r}: {metric} {problem}"
            elif metric not in known and step >= OVERDUE and (validated or not metric.startswith("val/")):
                unknown = unknown_name("metric", metric, known)
                yield f"alert {self.config.name!r} tests what nobody has reported in {step} steps: {unknown}"


class Alerts:
    """Looks at every alert once a step and once a validation.

    An alert is raised when its condition becomes met, then not again before the condition was not met in between or
    `repeat` steps have passed.
    """

    def __init__(self, configs: Sequence[AlertConfig], tracker: Tracker):
        self._tracker = tracker
        self._watches = [_Watch(config, build_condition(config.condition, RunTest)) for config in configs]

    def observe(self, step: int, stage_start: int) -> tuple[list[Alert], list[str]]:
        """The alerts that are raised now, and warnings of those that cannot be."""
        raised = [watch.observe(self._tracker, step, stage_start) for watch in self._watches]
        warnings: list[str] = []
        for watch in self._watches:
            if not watch.warned and (problems := list(watch.problems(self._tracker, step))):
                watch.warned = True
                warnings += problems
        for warning in warnings:
            logger.warning("%s", warning)
        return [alert for alert in raised if alert is not None], warnings

    def state_dict(self) -> dict[str, Any]:
        """By name, what every alert was asked, saw and said."""
        return {
            watch.config.name: {
                "config": config_state(watch.config),
                "condition": watch.condition.state_dict(),
                "met": watch.met,
                "raised": watch.raised,
                "count": watch.count,
                "warned": watch.warned,
            }
            for watch in self._watches
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved alerts stood; one that is new or was changed starts anew."""
        for watch in self._watches:
            saved = state.get(watch.config.name)
            watch.condition = build_condition(watch.config.condition, RunTest)
            watch.met, watch.raised, watch.count, watch.warned = False, -1, 0, False
            if saved is not None and saved["config"] == config_state(watch.config):
                watch.condition.load_state_dict(saved["condition"])
                watch.met, watch.raised = bool(saved["met"]), int(saved["raised"])
                watch.count, watch.warned = int(saved["count"]), bool(saved["warned"])

    def metrics(self) -> dict[str, float]:
        """Whether each alert's condition is met, and how often any was raised."""
        if not self._watches:
            return {}
        met = {f"alert/{watch.config.name}": float(watch.met) for watch in self._watches}
        return met | {"alerts": float(sum(watch.count for watch in self._watches))}
