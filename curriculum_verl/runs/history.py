"""What a run has done, as its metrics file tells it: read once, then followed while it grows.

run = FollowedRun(path)
run.refresh()                             # whether there was news
run.history.metrics.series("reward/final")
"""

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from curriculum_verl.errors import InputError
from curriculum_verl.runs.columns import Columns, Floats, Steps
from curriculum_verl.runs.following import Lines
from curriculum_verl.runs.lines import EVENTS, TRANSITIONS, ExitTest, Line, names_of_tests, read_line


class Span(msgspec.Struct, frozen=True):
    """Steps without a break in one stage, the first and the last of them."""

    stage: str
    first: int
    last: int


class History:
    """Metrics by step, the stage after every step, and the events. What a resumed run did again counts once."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.ends: dict[str, str] = {}  # what ends a stage, in words
        self.buckets: list[str] = []
        self.rollouts: str | None = None
        self.metrics = Columns()
        self.tests = Columns()  # the value of every test by step, under its name of `names_of_tests`
        self.exit: list[ExitTest] = []  # of the latest step
        self.events: list[Line] = []
        self.starts: list[Line] = []
        self.ended = False  # by itself, as its last process said
        self._told = Columns()  # of every step, when it was told and the stage after it
        self._stage_names: dict[str, int] = {}
        self._spans: list[Span] | None = None  # since the last line
        self._stays: list[Span] | None = None

    def take(self, line: Line) -> None:
        """One line of the file."""
        self._spans = self._stays = None
        if line.kind == "start":
            self._start(line)
        elif line.kind == "step":
            stage = self._stage_names.setdefault(line.stage, len(self._stage_names))
            self._told.add(line.step, {"time": line.time, "stage": stage})
            self.metrics.add(line.step, line.metrics)
            self.exit = line.exit
            if line.exit:
                named = zip(names_of_tests(line.exit), line.exit, strict=True)
                self.tests.add(line.step, {name: test.value for name, test in named if test.value is not None})
        elif line.kind == "validation":
            self.metrics.add(line.step, line.metrics)
        elif line.kind == "end":
            self.ended = True
        elif line.kind in EVENTS:
            self.events.append(line)

    def _start(self, line: Line) -> None:
        self.starts = [*(start for start in self.starts if start.step <= line.step), line]
        self.stages, self.ends, self.buckets, self.rollouts = line.stages, line.ends, line.buckets, line.rollouts
        self.events = [event for event in self.events if event.step <= line.step and event.kind != "stop"]
        for columns in (self.metrics, self.tests, self._told):
            columns.forget(line.step)
        self.exit, self.ended = [], False

    @property
    def steps(self) -> Steps:
        """The steps of training that were done."""
        return self._told.series("stage")[0]

    @property
    def step(self) -> int:
        """The latest of them; 0 before the first."""
        return int(self.steps[-1]) if self.steps.size else 0

    @property
    def times(self) -> tuple[Steps, Floats]:
        """When each step was told, in seconds since 1970."""
        return self._told.series("time")

    @property
    def stage(self) -> str | None:
        """The stage that the run is in."""
        spans = self.spans()
        return spans[-1].stage if spans else self.stages[0] if self.stages else None

    @property
    def transitions(self) -> list[Line]:
        """Advances and rollbacks."""
        return self.of_kind(*TRANSITIONS)

    def of_kind(self, *kinds: str) -> list[Line]:
        """The events of these kinds."""
        return [event for event in self.events if event.kind in kinds]

    def spans(self) -> list[Span]:
        """The stages one after the other, each as often as the run was in it, as steps told them: after the step."""
        if self._spans is None:
            self._spans = self._find_spans()
        return self._spans

    def _find_spans(self) -> list[Span]:
        steps, stages = self._told.series("stage")
        if not steps.size:
            return []
        names = list(self._stage_names)
        begins = np.flatnonzero(np.diff(stages, prepend=-1))
        ends = np.append(begins[1:], len(steps)) - 1
        return [
            Span(names[int(stages[begin])], int(steps[begin]), int(steps[end]))
            for begin, end in zip(begins, ends, strict=True)
        ]

    def stays(self) -> list[Span]:
        """The same by the steps that were drawn in each stage: a transition counts from the next step on."""
        if self._stays is None:
            self._stays = self._find_stays(self.spans())
        return self._stays

    def _find_stays(self, spans: list[Span]) -> list[Span]:
        if not spans:
            return []
        begin = spans[0].first
        before = next((switch.source for switch in self.transitions if switch.step == begin), None)
        found = [] if before in (None, spans[0].stage) else [Span(str(before), begin, begin)]
        begin += len(found)
        for span, end in zip(spans, [*(later.first for later in spans[1:]), spans[-1].last], strict=True):
            if begin <= end:
                found.append(Span(span.stage, begin, end))
            begin = end + 1
        return found


class FollowedRun:
    """A metrics file and what it told so far. Lines that cannot be read, such as torn ones, are counted."""

    def __init__(self, path: Path):
        self.path = path
        self.history = History()
        self.unreadable = 0
        self.version = 0  # another one after every news
        self._lines = Lines(path)

    @property
    def behind(self) -> int:
        """Bytes of the file that are still to be read."""
        return self._lines.behind

    @property
    def trouble(self) -> str:
        """Why the file could not be read at the last look; empty if it could, or is not there yet."""
        return self._lines.trouble

    def refresh(self, seconds: float = float("inf")) -> bool:
        """Read what is new, for about so long; whether there was anything."""
        until, before, trouble = time.monotonic() + seconds, self.version, self.trouble
        while True:
            news = self._lines.new()
            if news.again:
                self.history, self.unreadable = History(), 0
            self._take(news.lines)
            self.version += bool(news.lines or news.again or self.trouble != trouble)
            trouble = self.trouble
            if not news.lines or time.monotonic() > until:
                return self.version != before

    def _take(self, lines: Sequence[bytes]) -> None:
        for text in lines:
            line = read_line(text)
            if line is not None:
                self.history.take(line)
            elif text.strip():
                self.unreadable += 1


def read_history(path: Path) -> History:
    """All that a metrics file says now."""
    run = FollowedRun(path)
    run.refresh()
    if run.trouble:
        raise InputError(f"{path}: cannot be read: {run.trouble}; expected a metrics file")
    return run.history
