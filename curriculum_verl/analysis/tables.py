"""Tables of an analysis: one tidy CSV for each, and what a terminal shows."""

from collections.abc import Iterator
from typing import Any

from curriculum_verl.analysis.analysis import Analysis
from curriculum_verl.analysis.charts import coarse
from curriculum_verl.analysis.comparing import Change
from curriculum_verl.analysis.figures import ALL, Figures, cell_of, parts_of
from curriculum_verl.analysis.measures import BY_NAME
from curriculum_verl.analysis.tally import DISTRIBUTIONS
from curriculum_verl.evaluation.tables import require_pandas
from curriculum_verl.words import counted, no_formula, printable

_PART = ("run", "stage", "bucket")
COLUMNS: dict[str, tuple[str, ...]] = {
    "figures": (*_PART, "prompts", "responses", "measure", "value", "low", "high"),
    "quantiles": (*_PART, "measure", "responses", "mean", "least", "q10", "q25", "q50", "q75", "q90", "q99", "most"),
    "distributions": (*_PART, "measure", "from", "to", "share"),
    "tools": (*_PART, "tool", "calls", "share", "per_response"),
    "transitions": (*_PART, "source", "target", "count", "chance"),
    "changes": (
        *("of", "before", "after", "bucket", "measure", "prompts"),
        *("first", "second", "change", "low", "high", "direction", "verdict"),
    ),
    "contrasts": ("prompt", "looping", "exploring", "loop_score", "exploration", "contrast", "stuck"),
    "skipped": ("run", "reason", "lines", "first"),
}


def frames(analysis: Analysis) -> dict[str, Any]:
    """A DataFrame for every table."""
    pd = require_pandas()
    rows = {
        "figures": _figures(analysis),
        "quantiles": _cells(analysis, _quantiles),
        "distributions": _cells(analysis, _distributions),
        "tools": _cells(analysis, _tools),
        "transitions": _cells(analysis, _transitions),
        "changes": _changes(analysis),
        "contrasts": _contrasts(analysis),
        "skipped": _skipped(analysis),
    }
    made = {name: [tuple(map(no_formula, row)) for row in rows[name]] for name in COLUMNS}
    return {name: pd.DataFrame(made[name], columns=list(COLUMNS[name])) for name in COLUMNS}


def _figures(analysis: Analysis) -> Iterator[tuple[Any, ...]]:
    for one in analysis.figures:
        for name, it in one.measures.items():
            yield one.run, one.stage, one.bucket, one.prompts, one.responses, name, it.value, it.low, it.high


def _cells(analysis: Analysis, rows: Any) -> Iterator[tuple[Any, ...]]:
    for run in analysis.runs:
        for stage in parts_of(run.stages):
            for bucket in parts_of(run.buckets, analysis.buckets):
                cell = cell_of(run, stage, bucket)
                if cell.responses:
                    yield from ((run.run.name, stage, bucket, *row) for row in rows(cell))


def _quantiles(cell: Any) -> Iterator[tuple[Any, ...]]:
    for name in DISTRIBUTIONS:
        sketch = cell.sketches[name]
        if sketch.count:
            middle = (sketch.quantile(share) for share in (0.1, 0.25, 0.5, 0.75, 0.9, 0.99))
            yield name, sketch.count, sketch.mean, sketch.least, *middle, sketch.most


def _distributions(cell: Any) -> Iterator[tuple[Any, ...]]:
    for name in DISTRIBUTIONS:
        if cell.sketches[name].count:
            edges, shares = coarse(cell.sketches[name])
            yield from ((name, *row) for row in zip(edges[:-1], edges[1:], shares, strict=True))


def _tools(cell: Any) -> Iterator[tuple[Any, ...]]:
    total = cell.tools.total()
    for name, count in sorted(cell.tools.items(), key=lambda item: (-item[1], item[0])):
        yield name, count, count / total, count / cell.responses


def _transitions(cell: Any) -> Iterator[tuple[Any, ...]]:
    for (source, target), chance in cell.transitions().items():
        yield source, target, cell.follows[source, target], chance


def _changes(analysis: Analysis) -> Iterator[tuple[Any, ...]]:
    for one in analysis.changes:
        sides = (one.of, one.before, one.after, one.bucket, one.measure, one.prompts, one.first, one.second)
        yield *sides, one.change.value, one.change.low, one.change.high, one.direction, one.verdict


def _contrasts(analysis: Analysis) -> Iterator[tuple[Any, ...]]:
    for one in analysis.contrasts:
        prompt = analysis.texts[one.looping_at].id
        yield prompt, one.looping, one.exploring, one.loop_score, one.exploration, one.score, one.stuck


def _skipped(analysis: Analysis) -> Iterator[tuple[Any, ...]]:
    for run in analysis.runs:
        yield from ((run.run.name, reason, *found) for reason, found in run.skipped.items())


HEADS = ("success", "length", "steps", "calls", "coherence", "stuck", "efficiency")


def overview(analysis: Analysis) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the table that people read: every run, its buckets, its stages."""
    measures = [analysis.length if name == "length" else name for name in HEADS]
    known = {name for one in analysis.figures for name in one.measures}
    measures = [name for name in measures if name in known]
    heads = ["run", "stage", "bucket", "prompts", "responses", *(BY_NAME[name].short for name in measures)]
    told = [one for one in analysis.figures if ALL in (one.stage, one.bucket)]
    return heads, [_row(one, measures) for one in told]


def _row(one: Figures, measures: list[str]) -> list[str]:
    parts = [one.run, *("" if part == ALL else part for part in (one.stage, one.bucket))]
    cells = [_cell(one, name) for name in measures]
    return [*parts, f"{one.prompts:,}", f"{one.responses:,}", *cells]


def _cell(one: Figures, name: str) -> str:
    if name not in one.measures:
        return "-"
    measure, found = BY_NAME[name], one.measures[name]
    return measure.with_interval(found) if name == "success" else measure.shown(found.value)


def table(analysis: Analysis) -> str:
    """The overview for a terminal."""
    pd = require_pandas()
    heads, rows = overview(analysis)
    made = pd.DataFrame(rows, columns=heads)
    made = made.drop(columns=[name for name in ("stage", "bucket") if not made[name].any()])
    with pd.option_context("display.max_colwidth", 40):
        text: str = made.to_string(index=False, line_width=None)
    return "\n".join(line.rstrip() for line in printable(text).splitlines())


def in_words(analysis: Analysis) -> list[tuple[str, str]]:
    """Every pair, and of it what is clear and what is not, on all prompts that both have."""
    lines = []
    for shared in analysis.shared:
        found = [
            one
            for one in analysis.changes
            if (one.of, one.before, one.after, one.bucket) == (shared.of, shared.before, shared.after, ALL)
        ]
        if found:
            of = "" if shared.of == "runs" else f" ({shared.of})"
            told = [_told(word, [one for one in found if one.change.sign == sign]) for word, sign in _SIGNS]
            said = "; ".join(part for part in told if part) if any(told[:2]) else "nothing differs clearly"
            prompts = counted(shared.prompts, "shared prompt")
            lines.append((f"{shared.after} against {shared.before}{of}, {prompts}", said))
    return lines


_SIGNS = (("clearly higher", 1), ("clearly lower", -1), ("not clear", 0))


def _told(word: str, changes: list[Change]) -> str:
    if not changes:
        return ""
    names = (one.in_words() if one.change.sign else BY_NAME[one.measure].short for one in changes)
    return f"{word}: {', '.join(names)}"
