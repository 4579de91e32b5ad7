"""Conditions: predicates over tracked metrics that end a stage, alone or combined with any / all."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from curriculum_verl.curriculum.config import AllOf, AnyOf, ConditionConfig, MetricCondition
from curriculum_verl.curriculum.rules import build_rule
from curriculum_verl.curriculum.tracker import Tracker


@dataclass(frozen=True, slots=True)
class Status:
    """How far one test is: what is tested, its present value (None: not enough values yet), its threshold."""

    metric: str
    test: str
    value: float | None
    threshold: float
    met: bool

    def __str__(self) -> str:
        value = "no value yet" if self.value is None else f"{self.value:.4g}"
        return f"{self.metric} {self.test} {self.threshold:g} ({value})"


class Condition(Protocol):
    """Looks at the tracker once an evaluation; only values observed after the stage began count."""

    def observe(self, tracker: Tracker, after: int) -> None:
        """One evaluation, in a stage that began after step `after`."""

    @property
    def met(self) -> bool:
        """Whether the condition holds for what was observed."""

    def statuses(self) -> list[Status]:
        """How far each of its tests is."""

    def reasons(self) -> list[Status]:
        """The tests that make it met; none while it is not."""

    def problems(self, tracker: Tracker, after: int) -> Iterator[tuple[str, str | None]]:
        """Every metric that cannot be tested: because it has no value yet (None), or for the reason given."""

    def state_dict(self) -> dict[str, Any]:
        """A snapshot in plain values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved condition stood."""


def build_condition(config: ConditionConfig, test: "type[MetricTest] | None" = None) -> Condition:
    """The condition that a config describes, without history; `test` is what looks at each metric."""
    if isinstance(config, MetricCondition):
        return (test or MetricTest)(config)
    return Combined(config, test)


class Combined:
    """`any` or `all` of its members; every member sees every evaluation."""

    def __init__(self, config: AnyOf | AllOf, test: "type[MetricTest] | None" = None):
        self._join = any if isinstance(config, AnyOf) else all
        self._members = [build_condition(member, test) for member in config.members]

    def observe(self, tracker: Tracker, after: int) -> None:
        """Let every member look."""
        for member in self._members:
            member.observe(tracker, after)

    @property
    def met(self) -> bool:
        """Whether any, or all, members are met."""
        return self._join([member.met for member in self._members])

    def statuses(self) -> list[Status]:
        """Those of all members."""
        return [status for member in self._members for status in member.statuses()]

    def reasons(self) -> list[Status]:
        """Those of the members that are met, if that is enough."""
        return [status for member in self._members for status in member.reasons()] if self.met else []

    def problems(self, tracker: Tracker, after: int) -> Iterator[tuple[str, str | None]]:
        """Those of all members."""
        for member in self._members:
            yield from member.problems(tracker, after)

    def state_dict(self) -> dict[str, Any]:
        """The members' states."""
        return {"members": [member.state_dict() for member in self._members]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved members stood."""
        for member, saved in zip(self._members, state["members"], strict=True):
            member.load_state_dict(saved)


class MetricTest:
    """One test on one metric. An evaluation counts only if the metric has a new value since the last one.

    A derived metric's value may be replaced at its step, when a validation brings the rest: then the reading is, too.
    """

    def __init__(self, config: MetricCondition):
        self._config = config
        self._rule = build_rule(config)
        self._seen = -1
        self._last: float | None = None  # the reading's mean
        self._before: dict[str, Any] = {}  # the rule without it

    def observe(self, tracker: Tracker, after: int) -> None:
        """Take the window's reading, if there is a new and full one."""
        reading = tracker.window(self._config.metric, self._config.window, after)
        if reading is None or reading.step < self._seen:
            return
        if reading.step > self._seen:
            self._before = self._rule.state_dict()
        elif self._last is None or reading.mean == self._last:
            return
        else:
            self._rule.load_state_dict(self._before)
        self._seen, self._last = reading.step, reading.mean
        self._rule.observe(reading)

    @property
    def met(self) -> bool:
        """Whether the test holds for the readings so far."""
        return self._rule.met

    def statuses(self) -> list[Status]:
        """One status."""
        name = self._config.metric + (f" over {self._config.window}" if self._config.window > 1 else "")
        return [Status(name, self._rule.test, self._rule.value, self._rule.threshold, self._rule.met)]

    def reasons(self) -> list[Status]:
        """The one status, if it is met."""
        return self.statuses() if self.met else []

    def problems(self, tracker: Tracker, after: int) -> Iterator[tuple[str, str | None]]:
        """A metric without a value since the stage began, or something that is not a rate with its number of trials."""
        last = tracker.window(self._config.metric, 1, after)
        if last is None:
            yield self._config.metric, None
        elif self._config.confident_above is not None and not last.trials:
            yield self._config.metric, "has no number of trials with it, so it has no confidence bound; use above"
        elif self._config.confident_above is not None and not 0 <= last.rate <= 1:
            yield self._config.metric, f"is {last.mean:g}, which is no rate, so it has no confidence bound; use above"

    def state_dict(self) -> dict[str, Any]:
        """What was seen, and the rule's own history."""
        return {"seen": self._seen, "last": self._last, "before": self._before, "rule": self._rule.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved test stood."""
        self._seen = int(state["seen"])
        self._last, self._before = state.get("last"), state.get("before", {})  # a state of before has neither
        self._rule.load_state_dict(state["rule"])
