"""The parts of the page that are words and tables: where the runs stand, exit tests, events, metrics."""

import time
from collections.abc import Iterable

import numpy as np

from curriculum_verl.monitor.figures.stages import describe
from curriculum_verl.monitor.runs import Run
from curriculum_verl.monitor.view import View
from curriculum_verl.pages import Html, element
from curriculum_verl.runs.lines import ADVANCE, ROLLBACK, TRANSITIONS, ExitTest
from curriculum_verl.words import counted, number, size

QUIET = 120  # seconds without news from which it is said how long ago the last was
LONG = 200  # characters of a text that is shown whole
MOST_EVENTS = 200  # in the table, the latest first
KIND_CLASS = {ADVANCE: "cv-good", ROLLBACK: "cv-bad", "alarm": "cv-warn", "alert": "cv-warn", "warning": "cv-warn"}
KIND_SIGN = {ADVANCE: "▲", ROLLBACK: "▼", "alarm": "!", "alert": "!", "warning": "!", "stop": "■"}


def standing(view: View) -> Html:
    """Where every run stands: step, stage, and the numbers one asks for first."""
    return element("div", *map(_card, view.runs), class_="cv cv-grid cv-standing")


def _card(run: Run) -> Html:
    history = run.history
    facts = [("step", f"{history.step:,}"), ("stage", history.stage or "none yet")]
    facts += [(name, value) for name, value in _facts(run) if value]
    chips = [element("li", element("small", name + " "), element("strong", value)) for name, value in facts]
    parts = [element("h3", run.name), element("p", state(run), class_="soft", data_state="1")]
    parts.append(element("ul", *chips, class_="cv-chips"))
    return element("section", *parts, *_notes(run), class_="cv-card")


def _facts(run: Run) -> Iterable[tuple[str, str]]:
    yield "success", _latest(run, "curriculum/train/success_rate", share=True)
    yield "reward", _latest(run, "critic/score/mean") or _latest(run, "curriculum/train/score")
    yield "loss", _latest(run, "train/loss")
    yield "rollbacks", str(len(run.history.of_kind(ROLLBACK)))
    yield "forgetting alarms", str(len(run.history.of_kind("alarm")))
    yield "time a step", _pace(run)
    spent = sum(
        float(run.history.metrics.series(f"curriculum/tokens/{bucket}")[1].sum()) for bucket in run.history.buckets
    )
    yield "tokens", f"{spent:,.0f}" if spent else ""


def _pace(run: Run) -> str:
    _, times = run.history.times
    if len(times) < 2:
        return ""
    return f"{float(np.median(np.diff(times[-21:]))):.3g} s"  # a pause between two processes is no step


def state(run: Run) -> str:
    """Whether the run is going on, as far as its file shows."""
    if run.followed.trouble:
        return f"{run.followed.path} cannot be read: {run.followed.trouble}."
    if not run.history.starts and not run.history.steps.size:
        return "No line to read yet." if run.is_there() else f"Waiting for {run.followed.path}."
    if run.followed.behind > 1_000_000:
        return f"Reading: {size(run.followed.behind)} of the file are still to be read."
    stop = run.history.of_kind("stop")
    if stop:
        return f"Ended: {stop[-1].reason}."
    if run.history.ended:
        return f"Ended at step {run.history.step:,}."
    times = run.history.times[1]
    ago = time.time() - times[-1] if times.size else 0.0
    said = "Running." if ago < QUIET else f"No news for {_ago(ago)}."
    restarts = len(run.history.starts) - 1
    return said + (f" Resumed {counted(restarts, 'time')}." if restarts > 0 else "")


def _ago(seconds: float) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return counted(round(seconds / length), unit)
    return counted(round(seconds), "second")


def _notes(run: Run) -> list[Html]:
    """What the reader should not overlook."""
    notes = []
    if run.followed.unreadable:
        said = f"{counted(run.followed.unreadable, 'line')} of the file cannot be read (torn by a kill?), passed over."
        notes.append(element("p", said, class_="soft"))
    warnings = run.history.of_kind("warning", "alert")
    if warnings:
        latest = warnings[-1]
        said = bounded(f"Step {latest.step}: {describe(latest)}", f"note of {run.name}")
        notes.append(element("div", said, class_="cv-warn cv-note"))
    return notes


def bounded(text: str, key: str) -> Html | str:
    """A text that may be long: its beginning, which opens to all of it, and stays open under its key (charts.js)."""
    if len(text) <= LONG:
        return text
    return element("cv-keep", element("details", element("summary", text[: LONG - 1] + "…"), text), key=key)


def exits(view: View) -> Html:
    """How far every test is that can end the present stage."""
    return element("div", *map(_exit, view.runs), class_="cv cv-grid")


def _exit(run: Run) -> Html:
    several = element("h3", f"{run.name}: stage {run.history.stage or 'none yet'}")
    if not run.history.exit:
        why = "This stage has no exit test: it is the last one, or the run has ended."
        return element("section", several, element("p", why, class_="soft"), class_="cv-card")
    words = run.history.ends.get(run.history.stage or "")
    whole = [element("p", f"It ends when {words}.", class_="soft")] if words else []
    return element("section", several, *whole, *map(_test, run.history.exit), class_="cv-card")


def _test(test: ExitTest) -> Html:
    value = "no value yet" if test.value is None else number(test.value)
    mark = element("strong", "✓ met", class_="cv-good") if test.met else element("span", "not met", class_="soft")
    words = f"{test.metric} {test.test.replace('_', ' ')} {number(test.threshold)}"
    parts = [element("p", element("strong", words), " — now ", element("strong", value), " ", mark)]
    reached = progress(test)
    if reached is not None:
        bar = element("div", element("div", style=f"width: {reached:.1%}"), class_="cv-track", aria_hidden="true")
        parts += [bar, element("p", f"{reached:.0%} of the way to the threshold", class_="soft")]
    return element("div", *parts, class_="cv-test")


def progress(test: ExitTest) -> float | None:
    """The share of the way to the threshold, where there is a way from zero; None where the question makes no sense."""
    if test.met:
        return 1.0
    if test.value is None or test.threshold <= 0 or test.test.endswith("below"):
        return None
    return min(1.0, max(0.0, test.value / test.threshold))


def events(view: View) -> Html:
    """Every transition, alarm, alert, warning and stop, the latest first."""
    told = [(run, event) for run in view.runs for event in run.history.events]
    told.sort(key=lambda pair: (pair[1].time, pair[1].step), reverse=True)
    if not told:
        return element("p", "Nothing has happened yet: no transition, alarm or warning.", class_="cv cv-card soft")
    heads = ["step", *(["run"] if len(view.runs) > 1 else []), "what", "why"]
    rows = []
    for run, event in told[:MOST_EVENTS]:
        kind = element(
            "span", f"{KIND_SIGN[event.kind]} {event.kind}", class_=f"cv-kind {KIND_CLASS.get(event.kind, '')}"
        )
        cells = [str(event.step), *([run.name] if len(view.runs) > 1 else [])]
        whole = describe(event)
        why = whole.removeprefix(f"{event.kind} ") if event.kind in TRANSITIONS else whole.partition(": ")[2] or whole
        rows.append([*cells, kind, bounded(why, f"{event.kind} {event.name} of {run.name} at {event.step}")])
    left = len(told) - len(rows)
    more = [element("p", f"{left} earlier ones are in the export.", class_="soft")] if left > 0 else []
    return element("div", table(heads, rows, "Events"), *more, class_="cv cv-card")


def metrics(view: View, wanted: str) -> Html:
    """The latest value of every metric whose name holds all the words that are wanted."""
    words = wanted.lower().split()
    names = sorted({name for run in view.runs for name in run.history.metrics.names})
    shown = [name for name in names if all(word in name.lower() for word in words)]
    rows = [[name, *(_latest(run, name) or "none" for run in view.runs)] for name in shown]
    said = f"{counted(len(shown), 'metric')} of {len(names):,}" + (f" with {wanted.strip()!r}" if words else "")
    heads = ["metric", *(f"{run.name} (step {run.history.step:,})" for run in view.runs)]
    body = table(heads, rows, "Latest values", numbers=True)
    return element("div", element("p", said, class_="soft"), body, class_="cv cv-card")


def _latest(run: Run, name: str, *, share: bool = False) -> str:
    """The latest value, with its step if that is not the run's; empty if there is none."""
    last = run.history.metrics.last(name)
    if last is None:
        return ""
    return number(last[1], share=share) + ("" if last[0] == run.history.step else f" (step {last[0]:,})")


def table(heads: list[str], rows: list[list[str]], caption: str, *, numbers: bool = False) -> Html:
    """A table that scrolls, also by keyboard."""
    kinds = [{}, *({"class_": "number"} if numbers else {} for _ in heads[1:])]
    head = element("tr", *(element("th", text, scope="col", **kind) for text, kind in zip(heads, kinds, strict=True)))
    kind = {"class_": "number"} if numbers else {}
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell, **kind) for cell in row[1:]))
        for row in rows
    ]
    whole = element("table", element("thead", head), element("tbody", *body))
    return element("div", whole, class_="cv-scroll", tabindex="0", role="region", aria_label=caption)
