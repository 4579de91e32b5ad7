"""The parts of the page that are words and tables."""

from collections.abc import Sequence
from typing import Any

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.describe import describe_condition
from curriculum_verl.pages import Html, element
from curriculum_verl.simulation.report import Row, bucket_rows, notes, timeline_rows
from curriculum_verl.simulation.run import Trace
from curriculum_verl.tuning.block import get
from curriculum_verl.tuning.dumping import flow
from curriculum_verl.tuning.figures import course_in_words
from curriculum_verl.tuning.session import Editing, stage_of
from curriculum_verl.tuning.trial import Played, first_steps
from curriculum_verl.words import counted

MOST_NOTES = 30
LONGEST_CELL = 160
NAME = "min-width: 8.5rem"
LOST = (
    "The block was written anew, so the comments inside it are gone from the text; those around it are kept. "
    "To keep them all, edit the text itself."
)


def standing(editing: Editing, problems: Sequence[str], played: Played | None) -> Html:
    """Whether the recipe is valid, and how the simulation went."""
    parts = []
    if problems:
        parts.append(element("p", f"✗ {counted(len(problems), 'problem')}", class_="cv-note cv-bad"))
        parts.append(element("ul", *(element("li", problem) for problem in problems), role="alert"))
        parts.append(element("p", "Pictures and tables stay at the last recipe that was valid.", class_="soft"))
    elif played is not None and played.problem is not None:
        parts.append(element("p", f"✗ {played.problem}", class_="cv-note cv-bad", role="alert"))
    elif played is not None and played.trace is not None:
        took = f"{course_in_words(played.trace)}; simulated in {played.seconds:.2f} s"
        parts.append(element("p", f"✓ valid: {took}", class_="cv-note cv-good"))
    if not editing.comments_kept:
        parts.append(element("p", f"! {LOST}", class_="cv-note cv-warn"))
    return element("div", *parts, class_="cv")


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


def story(now: Played | None, opened: Played | None, *, stale: bool) -> Html:
    """The timeline, what every bucket took, notes, and all of it beside the recipe as it was opened."""
    if now is None or now.trace is None:
        return Html("")
    trace, first = now.trace, now.config.stages[0].name
    parts = [element("h3", f"Timeline{' (before the mistake)' if stale else ''}"), _table(timeline_rows(trace, first))]
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
        rows.append([f"stage {number + 1} from step", *("never" if step is None else step for step in reached)])
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
