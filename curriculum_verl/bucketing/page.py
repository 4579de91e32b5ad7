"""The page of a bucketing: one HTML file that needs nothing but itself."""

from collections.abc import Iterator, Sequence

from curriculum_verl.bucketing.summary import (
    Example,
    Summary,
    by_count,
    figures,
    headline,
    percent,
    rule,
    sentence,
    share,
    total,
)
from curriculum_verl.pages import Html, document, element, escaped, picture, section, table
from curriculum_verl.words import counted, number

HEAD, TAIL = 900, 300  # characters of a long text that are shown; the answer often stands at its end
MOST_SCORES = 32
MOST_INPUTS = 20


def page(summary: Summary, png: bytes, colours: Sequence[str]) -> str:
    """The whole page; it runs no script and loads nothing, and stays well-formed whatever the texts hold."""
    parts = (
        element("h1", headline(summary)),
        element("p", sentence(summary), class_="lead"),
        _warnings(summary),
        _figure(summary, png),
        _buckets(summary, colours),
        _ties(summary),
        _rejects(summary),
        _examples(summary, colours),
        _origin(summary),
    )
    return document(headline(summary), *parts)


def _warnings(summary: Summary) -> Html:
    if not summary.warnings:
        return Html()
    items = (element("li", warning) for warning in summary.warnings)
    return element("div", element("strong", "Warnings"), element("ul", *items), class_="warning", role="note")


def _figure(summary: Summary, png: bytes) -> Html:
    solved = "; ".join(
        f"{bucket.name} has {counted(bucket.prompts, 'prompt')}, pass rate {percent(bucket.pass_rate)}, "
        f"{percent(bucket.never_solved)} never solved, {percent(bucket.always_solved)} always"
        for bucket in summary.buckets
    )
    alt = f"Histogram of {summary.metric}, coloured by bucket, and what was solved of each, easiest first: {solved}."
    return picture(png, alt if solved else sentence(summary), rule(summary))


def _buckets(summary: Summary, colours: Sequence[str]) -> Html:
    count = len(summary.buckets)
    if not count:
        return Html()
    heads = ("bucket", "prompts", "share", "metric from", "to", "mean score", "pass rate", "never solved")
    names = [_named(bucket.name, colours[place], place, count) for place, bucket in enumerate(summary.buckets)]
    buckets = summary.buckets
    if count > 1:
        names, buckets = [*names, Html("all")], (*buckets, total(buckets))
    rows = [
        (name, *figures(bucket, summary.prompts), f"{bucket.lines:,}")
        for name, bucket in zip(names, buckets, strict=True)
    ]
    return section("Buckets, easiest first", table((*heads, "always solved", "lines"), rows))


def _named(name: str, colour: str, place: int, count: int) -> Html:
    """A bucket's name with its colour in the picture, and a word at either end of the order."""
    word = "" if count < 2 else {0: "easiest", count - 1: "hardest"}.get(place, "")
    swatch = element("span", class_="swatch", style=f"background:{colour}")
    return Html(f"{swatch}{escaped(name)}{element('small', f' {word}') if word else ''}")


def _ties(summary: Summary) -> Html:
    if not summary.ties:
        return Html()
    said = "Equal values always stay together in one bucket, so a value that many prompts share makes buckets uneven."
    if summary.tie_break is not None:
        said = f"Prompts of one value are ordered by {summary.tie_break}; where that is equal too, they stay together."
    rows = _counts([(number(value), count) for value, count in summary.ties], summary.prompts)
    counts = table((summary.metric, "prompts", "share"), rows)
    return section("The most frequent values", element("p", said), counts)


def _rejects(summary: Summary) -> Html:
    rejected = sum(summary.rejected.values())
    read = f"{counted(summary.lines, 'line')} read, {summary.blank:,} blank, {rejected:,} rejected."
    rows = _counts(by_count(summary.rejected), summary.lines)
    counts = table(("reason", "lines", "share"), rows) if rows else Html()
    return section("Rejected lines", element("p", read), counts)


def _counts(counts: Sequence[tuple[str, int]], whole: int) -> list[tuple[str, ...]]:
    return [(name, f"{count:,}", percent(share(count, whole))) for name, count in counts]


def _examples(summary: Summary, colours: Sequence[str]) -> Html:
    parts = [
        element("h3", _named(bucket.name, colours[place], place, len(summary.buckets)))
        + "".join(_example(example, summary) for example in summary.examples[bucket.name])
        for place, bucket in enumerate(summary.buckets)
        if summary.examples.get(bucket.name)
    ]
    return section("Examples", Html("".join(parts))) if parts else Html()


def _example(example: Example, summary: Summary) -> Html:
    passing = sum(score >= summary.pass_threshold for score in example.scores)
    said = f"{summary.metric} {number(example.value)}, {passing:,} of {counted(len(example.scores), 'response')} pass"
    texts = _text("Prompt", example.prompt) + _text("Best response", example.response)
    return element(
        "article",
        element("p", said),
        element("ul", *_chips(example.scores, summary.pass_threshold), class_="chips", aria_label="scores"),
        element("div", Html(texts), class_="texts"),
    )


def _chips(scores: Sequence[float], threshold: float) -> Iterator[Html]:
    for score in scores[:MOST_SCORES]:
        passing = score >= threshold
        sign = element("span", "✓" if passing else "✗", role="img", aria_label="passes" if passing else "fails")
        yield element("li", sign, f" {number(score)}", class_="pass" if passing else "fail")
    if len(scores) > MOST_SCORES:
        yield element("li", f"and {len(scores) - MOST_SCORES:,} more")


def _text(title: str, text: str) -> Html:
    cut = max(0, len(text) - HEAD - TAIL)
    said = f"{title}, {cut:,} of {len(text):,} characters cut from its middle" if cut else title
    parts = (text[:HEAD], element("mark", "… cut …"), text[-TAIL:]) if cut else (text,)
    shown = element("pre", *parts, dir="auto", tabindex="0") if text.strip() else element("p", "empty", class_="none")
    return element("div", element("h4", said), shown)


def _origin(summary: Summary) -> Html:
    files = [element("li", element("code", name)) for name in summary.inputs[:MOST_INPUTS]]
    if len(summary.inputs) > MOST_INPUTS:
        files.append(element("li", f"and {len(summary.inputs) - MOST_INPUTS:,} more"))
    return section(
        "Where this is from",
        element("p", f"Read from {counted(len(summary.inputs), 'file')}:"),
        element("ul", *files),
        element("p", "Made by:"),
        element("pre", summary.command, tabindex="0"),
    )
