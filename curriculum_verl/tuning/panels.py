"""The parts of the page that are words and tables."""

from collections.abc import Iterator, Sequence
from typing import Any

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.describe import describe_condition
from curriculum_verl.pages import Html, element
from curriculum_verl.simulation.report import Row, bucket_rows, first_steps, notes, timeline_rows
from curriculum_verl.simulation.run import Trace
from curriculum_verl.tuning.block import get
from curriculum_verl.tuning.desk import Desk
from curriculum_verl.tuning.dumping import flow
from curriculum_verl.tuning.figures import course_in_words
from curriculum_verl.tuning.playing import Shown
from curriculum_verl.tuning.session import Editing, stage_of
from curriculum_verl.tuning.trial import Played
from curriculum_verl.words import counted

MOST_NOTES = 30
LONGEST_CELL = 160
NAME = "min-width: 8.5rem"
LOST = "Comments have gone from the text with a change. Undo brings them back."
LEFT = "There are changes that were not saved when this page was opened anew. Undo brings them back."
BEFORE = "Pictures and tables are of the recipe before."


def standing(desk: Desk) -> Html:
    """Whether the recipe is valid, how the simulation went, and whether what is shown is of another recipe."""
    parts = [*_verdict(desk)]
    if desk.left in desk.past:
        parts.append(element("p", f"! {LEFT}", class_="cv-note cv-warn"))
    if not desk.editing.comments_kept:
        parts.append(element("p", f"! {LOST}", class_="cv-note cv-warn"))
    marks = ["cv", *(["tune-old"] if desk.playing.stale else [])]
    return element("div", *parts, class_=" ".join(marks))


def _verdict(desk: Desk) -> Iterator[Html]:
    shown, stale = desk.playing.shown, desk.playing.stale
    told = [(desk.wrong, "problem"), (list(desk.run_wrong.values()), "problem of the simulation")]
    for problems, what in told:
        if problems:
            yield element("p", f"✗ {_counted(len(problems), what)}", class_="cv-note cv-bad")
            yield element("ul", *(element("li", problem) for problem in problems), role="alert")
    if desk.wrong or desk.run_wrong:
        if stale:
            yield element("p", f"{BEFORE} They stay at the last one that was valid.", class_="soft")
    elif shown is None or stale:
        yield element(
            "p", f"✓ valid. Simulating ... {BEFORE if shown else ''}", class_="cv-note cv-none", role="status"
        )
    elif shown.now.trace is None:
        yield element("p", f"✗ {shown.now.problem}", class_="cv-note cv-bad", role="alert")
    else:
        took = f"{course_in_words(shown.now.trace)}; simulated in {shown.now.seconds:.2f} s"
        yield element("p", f"✓ valid: {took}", class_="cv-note cv-good")


def _counted(count: int, what: str) -> str:
    return f"{counted(count, 'problem')}{what.removeprefix('problem')}"


def wrong(problems: Sequence[str]) -> Html:
    """What is wrong with the fields of a group, beside them."""
    if not problems:
        return Html("")
    return element(
        "div", *(element("p", f"✗ {p}", class_="cv-note cv-bad") for p in problems), class_="cv", role="alert"
    )


def stages(editing: Editing, problems: Sequence[str], config: CurriculumConfig | None) -> Html:
    """All stages in a table, the one whose fields are shown marked; exits in words while the recipe is valid."""
    marked = {stage_of(problem) for problem in problems}
    rows = []
    for number, stage in enumerate(editing.stages):
        mix = get(stage, ("mix",))
        shares = (
            ", ".join(f"{bucket} {_share(share)}" for bucket, share in mix.items())
            if isinstance(mix, dict)
            else _cell(mix)
        )
        sign = "▶ " if number == editing.stage else ""
        name = f"{sign}{'✗ ' if number in marked else ''}{get(stage, ('name',))}"
        last = number == len(editing.stages) - 1
        leave = get(editing.block, ("stop",)) if last else get(stage, ("exit",))
        condition = None if config is None else config.stop if last else config.stages[number].exit
        ends = _cell(leave) if condition is None else describe_condition(condition)
        cells = [element("th", name, scope="row", style=NAME), element("td", shares), element("td", ends)]
        rows.append(element("tr", *cells, class_="cv-bad" if number in marked else "cv-none"))
    heads = element("tr", *(element("th", head, scope="col") for head in ("stage", "mix", "ends when")))
    made = element("table", element("thead", heads), element("tbody", *rows))
    return element("div", made, class_="cv cv-card cv-scroll", tabindex="0", aria_label="stages", role="group")


def story(shown: Shown | None) -> Html:
    """The timeline, what every bucket took, notes, and all of it beside the recipe as it was opened."""
    if shown is None or shown.now.trace is None:
        return Html("")
    now, opened = shown.now, shown.opened
    trace, first = shown.now.trace, now.config.stages[0].name
    parts = [element("h3", "Timeline"), _table(timeline_rows(trace, first))]
    parts += [element("h3", "Buckets"), _table(bucket_rows(trace))]
    if opened is not None and opened.trace is not None:
        parts += [element("h3", "Beside the recipe as it was opened"), _table(_beside(now, opened))]
    said = notes(trace)
    more = [f"and {len(said) - MOST_NOTES} more"] if len(said) > MOST_NOTES else []
    if said:
        items = (element("li", text) for text in [*said[:MOST_NOTES], *more])
        parts += [element("h3", "Alerts and warnings"), element("ul", *items)]
    return element("div", *parts, class_="cv cv-card")


def _beside(now: Played, opened: Played) -> list[Row]:
    pairs = [played.trace for played in (opened, now) if played.trace is not None]
    rows: list[Row] = [["", "as opened", "now"]]
    entered = [first_steps(p.trace, [s.name for s in p.config.stages]) for p in (opened, now) if p.trace is not None]
    for number in range(1, max(len(steps) for steps in entered)):
        reached = [list(steps.values())[number] if number < len(steps) else "no such stage" for steps in entered]
        rows.append([f"stage {number + 1} after step", *("never" if step is None else step for step in reached)])
    rows.append(["rollbacks", *(sum(t.kind == "rollback" for t in trace.transitions) for trace in pairs)])
    rows.append(["tokens", *(f"{trace.tokens.sum():,.0f}" for trace in pairs)])
    for b, bucket in enumerate(pairs[0].buckets):
        rows.append([f"pass rate of {bucket} at the end", *(f"{trace.pass_rates[-1, b]:.3f}" for trace in pairs)])
    rows.append(["mean pass rate at the end", *(f"{trace.pass_rates[-1].mean():.3f}" for trace in pairs)])
    return rows


def _table(rows: Sequence[Row]) -> Html:
    numeric = [all(_text(row[at])[:1] in "0123456789-." for row in rows[1:]) for at in range(len(rows[0]))]
    kinds = [{"class_": "number"} if is_number else {} for is_number in numeric]
    heads = [element("th", str(cell), scope="col", **kind) for cell, kind in zip(rows[0], kinds, strict=True)]
    body = [
        element(
            "tr",
            element("th", _text(row[0]), scope="row", style=NAME),
            *(element("td", _text(cell), **kind) for cell, kind in zip(row[1:], kinds[1:], strict=True)),
        )
        for row in rows[1:]
    ]
    made = element("table", element("thead", element("tr", *heads)), element("tbody", *body))
    return element("div", made, class_="cv-scroll", tabindex="0", role="group", aria_label=str(rows[0][0] or "beside"))


def _text(cell: object) -> str:
    return f"{cell:.3f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def _share(share: Any) -> str:
    return f"{share:.0%}" if type(share) in (int, float) and abs(share) < 1e6 else _cell(share)


def _cell(value: Any) -> str:
    text = "" if value is None else flow(value)
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def trace_of(played: Played | None) -> Trace | None:
    """What happened, if anything did."""
    return None if played is None else played.trace
