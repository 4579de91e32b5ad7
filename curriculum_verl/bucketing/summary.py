"""What a bucketing did: the numbers its report shows, and the same as a text table for the terminal."""

import math
import textwrap
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curriculum_verl.difficulty import Direction
from curriculum_verl.words import counted, number, printable

WIDTH = 100  # columns of the terminal
NARROWEST_NAME = 12
MOST_CUTS = 8  # more are only counted; the buckets' ranges tell them anyway
DIRECTIONS: dict[Direction, str] = {"high_is_easy": "higher is easier", "low_is_easy": "lower is easier"}

# Controls, halves of surrogate pairs, marks that turn the direction of text, and what Unicode says is no character.
_HEADS = (
    ("", "", "", "metric", "", "mean", "pass", "never", "always"),
    ("bucket", "prompts", "share", "from", "to", "score", "rate", "solved", "solved"),
)


@dataclass(frozen=True, slots=True)
class BucketSummary:
    """One bucket; `pass_rate` is the share of passing responses, averaged over prompts."""

    name: str
    prompts: int
    lines: int
    metric_min: float
    metric_max: float
    mean_score: float
    pass_rate: float
    never_solved: float
    always_solved: float


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt to look at, with its metric's value and its best response; the texts may be of any length."""

    prompt: str
    scores: tuple[float, ...]
    value: float
    response: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """Prompts along the metric's own axis: one count per bin for every bucket."""

    edges: tuple[float, ...]
    counts: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole bucketing, easiest bucket first; a cut is (value,), or (value, tie) where the tie-break parts a value."""

    metric: str
    direction: Direction
    pass_threshold: float
    tie_break: str | None
    cuts: tuple[tuple[float, ...], ...]
    buckets: tuple[BucketSummary, ...]
    histogram: Histogram
    ties: tuple[tuple[float, int], ...]
    rejected: dict[str, int]
    lines: int
    blank: int
    prompts: int
    examples: dict[str, tuple[Example, ...]]
    warnings: tuple[str, ...]
    inputs: tuple[str, ...]
    command: str


def table(summary: Summary) -> str:
    """The bucketing as text, no line longer than WIDTH however long a name is."""
    parts = (_head(summary), _buckets(summary), rejects_text(summary), warnings_text(summary))
    return "\n\n".join(part for part in parts if part)


def headline(summary: Summary) -> str:
    """How much went into how many buckets, by what."""
    return f"{counted(summary.prompts, 'prompt')} in {counted(len(summary.buckets), 'bucket')} by {summary.metric}"


def sentence(summary: Summary) -> str:
    """Which bucket is the easiest and which the hardest, and how the metric says so."""
    direction = f"{summary.metric}: {DIRECTIONS[summary.direction]}"
    if not summary.buckets:
        return f"No prompt was bucketed ({direction})."
    easiest, hardest = summary.buckets[0], summary.buckets[-1]
    if easiest is hardest:
        return f"{direction}; {easiest.name} is the only bucket (pass rate {percent(easiest.pass_rate)})."
    return (
        f"{direction}, so {easiest.name} is the easiest bucket (pass rate {percent(easiest.pass_rate)}) "
        f"and {hardest.name} the hardest ({percent(hardest.pass_rate)})."
    )


def rule(summary: Summary) -> str:
    """Where the cuts are, what happens to equal values, and when a response passes."""
    cuts = f"Cut at {', '.join(map(describe_cut, summary.cuts))}"
    if not 0 < len(summary.cuts) <= MOST_CUTS:
        cuts = counted(len(summary.cuts), "cut") if summary.cuts else "No cuts"
    equal = "equal values stay together"
    if summary.tie_break is not None:
        equal = f"equal values are ordered by {summary.tie_break}, and stay together where that is equal too"
    return f"{cuts}; {equal}. A response passes when its score is at least {number(summary.pass_threshold)}."


def describe_cut(cut: Sequence[float]) -> str:
    """A cut as its value, with the tie-break's value where that decides."""
    return number(cut[0]) if len(cut) == 1 else f"{number(cut[0])} (tie {', '.join(map(number, cut[1:]))})"


def total(buckets: Sequence[BucketSummary]) -> BucketSummary:
    """All buckets as one; scores and rates are averaged over prompts, empty buckets have no say."""
    filled = [bucket for bucket in buckets if bucket.prompts]
    prompts = sum(bucket.prompts for bucket in filled)

    def mean(read: Callable[[BucketSummary], float]) -> float:
        return math.fsum(read(bucket) * bucket.prompts for bucket in filled) / prompts if prompts else math.nan

    return BucketSummary(
        name="all",
        prompts=prompts,
        lines=sum(bucket.lines for bucket in buckets),
        metric_min=min((bucket.metric_min for bucket in filled), default=math.nan),
        metric_max=max((bucket.metric_max for bucket in filled), default=math.nan),
        mean_score=mean(lambda bucket: bucket.mean_score),
        pass_rate=mean(lambda bucket: bucket.pass_rate),
        never_solved=mean(lambda bucket: bucket.never_solved),
        always_solved=mean(lambda bucket: bucket.always_solved),
    )


def figures(bucket: BucketSummary, prompts: int) -> tuple[str, ...]:
    """A bucket's row without its name: prompts, share, metric from and to, score, pass rate, never, always."""
    rates = (bucket.pass_rate, bucket.never_solved, bucket.always_solved)
    return (
        f"{bucket.prompts:,}",
        percent(share(bucket.prompts, prompts)),
        number(bucket.metric_min),
        number(bucket.metric_max),
        f"{bucket.mean_score:,.3f}" if bucket.prompts else "-",
        *map(percent, rates),
    )


def share(part: int, whole: int) -> float:
    """A part of a whole; not a number where there is no whole."""
    return part / whole if whole else math.nan


def percent(rate: float) -> str:
    """A share with one decimal, never rounded to nothing or to all."""
    if not math.isfinite(rate):
        return "-"
    if 0 < rate < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= rate < 1 else f"{rate:.1%}"


def by_count(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Names with their counts, the largest first."""
    return sorted(counts.items(), key=lambda item: -item[1])


def elide(text: str, limit: int) -> str:
    """One line of at most `limit` columns; the middle goes, since names often differ at either end."""
    text = " ".join(printable(text).split())
    if _columns(text) <= limit:
        return text
    head, tail = text[:limit], text[-limit:]
    while _columns(head) + _columns(tail) > limit - 3:
        head, tail = (head[:-1], tail) if _columns(head) > _columns(tail) else (head, tail[1:])
    return f"{head}...{tail}"


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def fill(text: str, first: str = "", indent: str = "") -> str:
    """Text in lines of the terminal."""
    return textwrap.fill(
        " ".join(printable(text).split()), WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False
    )


def _head(summary: Summary) -> str:
    return "\n".join(fill(text) for text in (headline(summary), sentence(summary), rule(summary)))


def _buckets(summary: Summary) -> str:
    if not summary.buckets:
        return ""
    buckets = [*summary.buckets, total(summary.buckets)] if len(summary.buckets) > 1 else [*summary.buckets]
    return aligned(_HEADS, [[bucket.name, *figures(bucket, summary.prompts)] for bucket in buckets])


def aligned(heads: Sequence[Sequence[str]], body: Sequence[Sequence[str]]) -> str:
    """Rows in columns under their heads, names first; of several rows, the last is apart."""
    rows = [*heads, *body]
    widths = [max(len(row[column]) for row in rows) for column in range(1, len(rows[0]))]
    room = max(NARROWEST_NAME, WIDTH - sum(widths) - 2 * len(widths))
    names = [elide(row[0], room) for row in rows]
    widest = max(map(_columns, names))
    lines = [
        name
        + " " * (widest - _columns(name))
        + "".join(cell.rjust(width + 2) for cell, width in zip(row[1:], widths, strict=True))
        for name, row in zip(names, rows, strict=True)
    ]
    line = "-" * len(lines[len(heads) - 1])
    lines[len(heads) : len(heads)] = [line]
    return "\n".join(lines if len(body) == 1 else [*lines[:-1], line, lines[-1]])


def rejects_text(summary: Summary) -> str:
    """How many lines were rejected, and why."""
    rejected = sum(summary.rejected.values())
    lines = [
        f"{counted(summary.lines, 'line')} read, {summary.blank:,} blank, {rejected:,} rejected" + ":" * bool(rejected)
    ]
    widest = len(f"{max(summary.rejected.values(), default=0):,}")
    for reason, count in by_count(summary.rejected):
        lines.append(fill(reason, f"  {count:>{widest},}  ", " " * (widest + 4)))
    return "\n".join(lines)


def warnings_text(summary: Summary) -> str:
    """What a user should know before going on."""
    return "\n".join(fill(warning, "warning: ", "         ") for warning in summary.warnings)
