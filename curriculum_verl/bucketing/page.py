"""The page of a bucketing: one HTML file that needs nothing but itself."""

import base64
import html
from collections.abc import Iterator, Sequence

from curriculum_verl.bucketing.summary import (
    Example,
    Summary,
    by_count,
    figures,
    headline,
    number,
    percent,
    printable,
    rule,
    sentence,
    share,
    total,
)
from curriculum_verl.words import counted

HEAD, TAIL = 900, 300  # characters of a long text that are shown; the answer often stands at its end
MOST_SCORES = 32
MOST_INPUTS = 20
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # whatever a text holds, nothing runs or loads
STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --paper: #fff; --card: #f6f8fa; --line: #d1d9e0;
  --pass: #0b5cad; --pass-card: #ddf0ff; --warn: #9a6700; --warn-card: #fff8c5; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117;
  --card: #161b22; --line: #30363d; --pass: #79c0ff; --pass-card: #12314f; --warn: #e3b341; --warn-card: #2b2411; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 64rem; margin: auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0; }
h2 { font-size: 1.25rem; margin: 3rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 2rem 0 .75rem; }
h4 { font-size: .8rem; margin: 0 0 .3rem; color: var(--soft); }
h1, h3, p, li, figcaption, tbody th { overflow-wrap: anywhere; }
.lead { font-size: 1.15rem; margin: .5rem 0 1.5rem; }
small, figcaption, .none { color: var(--soft); font-size: .85rem; font-weight: normal; }
figure { margin: 1.5rem 0; }
img { display: block; width: 100%; background: #fff; border: 1px solid var(--line); border-radius: 8px; }
figcaption { margin-top: .6rem; }
.warning { border-left: 4px solid var(--warn); background: var(--warn-card); padding: .75rem 1rem; border-radius: 4px; }
.warning strong { color: var(--warn); }
ul { margin: .25rem 0; padding-left: 1.25rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .8rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 600; min-width: 9rem; }
.swatch { float: left; width: .8em; height: .8em; margin: .35em .5em 0 0; border-radius: 3px;
  border: 1px solid var(--line); print-color-adjust: exact; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.25rem;
  margin: .75rem 0; }
article p { margin: 0; }
.chips { list-style: none; display: flex; flex-wrap: wrap; gap: .35rem; padding: 0; margin: .6rem 0 1rem; }
.chips li { padding: 0 .55rem; border: 1px solid var(--line); border-radius: 1rem; font-size: .8rem;
  color: var(--soft); }
.chips .pass { background: var(--pass-card); border-color: var(--pass); color: var(--pass); font-weight: 600; }
.texts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem; }
.texts > div { min-width: 0; }
pre, code { font: .82rem/1.5 ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { margin: 0; padding: .75rem; white-space: pre-wrap; background: var(--paper); border: 1px solid var(--line);
  border-radius: 6px; max-height: 20rem; overflow-y: auto; }
mark { background: var(--warn-card); color: var(--warn); padding: 0 .4em; margin: 0 .4em; border-radius: 3px; }
@media print { :root { color-scheme: light; font-size: 12px; } main { max-width: none; padding: 0; }
  pre { max-height: none; } .wide { overflow: visible; } th, td { padding: .4rem .5rem; }
  table, figure, article { break-inside: avoid; } h2, h3, h4 { break-after: avoid; } }
"""


class Html(str):
    """Text that is a piece of the page already; any other text is escaped where it gets into an element."""

    __slots__ = ()


def _element(tag: str, *parts: str, **attributes: str) -> Html:
    """An element with its content; `class_` stands for class, and `meta` and `img` have no content to close."""
    said = "".join(f' {name.rstrip("_").replace("_", "-")}="{_escaped(value)}"' for name, value in attributes.items())
    if tag in ("meta", "img"):
        return Html(f"<{tag}{said}>")
    return Html(f"<{tag}{said}>{''.join(map(_escaped, parts))}</{tag}>")


def _escaped(text: str) -> Html:
    return text if isinstance(text, Html) else Html(html.escape(printable(text)))


def page(summary: Summary, picture: bytes, colours: Sequence[str]) -> str:
    """The whole page; it runs no script and loads nothing, and stays well-formed whatever the texts hold."""
    head = _element(
        "head",
        _element("meta", charset="utf-8"),
        _element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        _element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        _element("title", headline(summary)),
        _element("style", Html(STYLE)),
    )
    parts = (
        _element("h1", headline(summary)),
        _element("p", sentence(summary), class_="lead"),
        _warnings(summary),
        _figure(summary, picture),
        _buckets(summary, colours),
        _ties(summary),
        _rejects(summary),
        _examples(summary, colours),
        _origin(summary),
    )
    body = _element("body", _element("main", *parts))
    return f"<!doctype html>\n{_element('html', head, body, lang='en')}\n"


def _warnings(summary: Summary) -> Html:
    if not summary.warnings:
        return Html()
    items = (_element("li", warning) for warning in summary.warnings)
    return _element("div", _element("strong", "Warnings"), _element("ul", *items), class_="warning", role="note")


def _figure(summary: Summary, picture: bytes) -> Html:
    solved = "; ".join(
        f"{bucket.name} has {counted(bucket.prompts, 'prompt')}, pass rate {percent(bucket.pass_rate)}, "
        f"{percent(bucket.never_solved)} never solved, {percent(bucket.always_solved)} always"
        for bucket in summary.buckets
    )
    alt = f"Histogram of {summary.metric}, coloured by bucket, and what was solved of each, easiest first: {solved}."
    data = base64.b64encode(picture).decode("ascii")
    return _element(
        "figure",
        _element("img", src=f"data:image/png;base64,{data}", alt=alt if solved else sentence(summary)),
        _element("figcaption", rule(summary)),
    )


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
    return _section("Buckets, easiest first", _table((*heads, "always solved", "lines"), rows))


def _named(name: str, colour: str, place: int, count: int) -> Html:
    """A bucket's name with its colour in the picture, and a word at either end of the order."""
    word = "" if count < 2 else {0: "easiest", count - 1: "hardest"}.get(place, "")
    swatch = _element("span", class_="swatch", style=f"background:{colour}")
    return Html(f"{swatch}{_escaped(name)}{_element('small', f' {word}') if word else ''}")


def _ties(summary: Summary) -> Html:
    if not summary.ties:
        return Html()
    said = "Equal values always stay together in one bucket, so a value that many prompts share makes buckets uneven."
    if summary.tie_break is not None:
        said = f"Prompts of one value are ordered by {summary.tie_break}; where that is equal too, they stay together."
    rows = _counts([(number(value), count) for value, count in summary.ties], summary.prompts)
    table = _table((summary.metric, "prompts", "share"), rows)
    return _section("The most frequent values", _element("p", said), table)


def _rejects(summary: Summary) -> Html:
    rejected = sum(summary.rejected.values())
    read = f"{counted(summary.lines, 'line')} read, {summary.blank:,} blank, {rejected:,} rejected."
    rows = _counts(by_count(summary.rejected), summary.lines)
    table = _table(("reason", "lines", "share"), rows) if rows else Html()
    return _section("Rejected lines", _element("p", read), table)


def _counts(counts: Sequence[tuple[str, int]], whole: int) -> list[tuple[str, ...]]:
    return [(name, f"{count:,}", percent(share(count, whole))) for name, count in counts]


def _examples(summary: Summary, colours: Sequence[str]) -> Html:
    parts = [
        _element("h3", _named(bucket.name, colours[place], place, len(summary.buckets)))
        + "".join(_example(example, summary) for example in summary.examples[bucket.name])
        for place, bucket in enumerate(summary.buckets)
        if summary.examples.get(bucket.name)
    ]
    return _section("Examples", Html("".join(parts))) if parts else Html()


def _example(example: Example, summary: Summary) -> Html:
    passing = sum(score >= summary.pass_threshold for score in example.scores)
    said = f"{summary.metric} {number(example.value)}, {passing:,} of {counted(len(example.scores), 'response')} pass"
    texts = _text("Prompt", example.prompt) + _text("Best response", example.response)
    return _element(
        "article",
        _element("p", said),
        _element("ul", *_chips(example.scores, summary.pass_threshold), class_="chips", aria_label="scores"),
        _element("div", Html(texts), class_="texts"),
    )


def _chips(scores: Sequence[float], threshold: float) -> Iterator[Html]:
    for score in scores[:MOST_SCORES]:
        passing = score >= threshold
        sign = _element("span", "✓" if passing else "✗", role="img", aria_label="passes" if passing else "fails")
        yield _element("li", sign, f" {number(score)}", class_="pass" if passing else "fail")
    if len(scores) > MOST_SCORES:
        yield _element("li", f"and {len(scores) - MOST_SCORES:,} more")


def _text(title: str, text: str) -> Html:
    cut = max(0, len(text) - HEAD - TAIL)
    said = f"{title}, {cut:,} of {len(text):,} characters cut from its middle" if cut else title
    parts = (text[:HEAD], _element("mark", "… cut …"), text[-TAIL:]) if cut else (text,)
    shown = _element("pre", *parts, dir="auto", tabindex="0") if text.strip() else _element("p", "empty", class_="none")
    return _element("div", _element("h4", said), shown)


def _origin(summary: Summary) -> Html:
    files = [_element("li", _element("code", name)) for name in summary.inputs[:MOST_INPUTS]]
    if len(summary.inputs) > MOST_INPUTS:
        files.append(_element("li", f"and {len(summary.inputs) - MOST_INPUTS:,} more"))
    return _section(
        "Where this is from",
        _element("p", f"Read from {counted(len(summary.inputs), 'file')}:"),
        _element("ul", *files),
        _element("p", "Made by:"),
        _element("pre", summary.command, tabindex="0"),
    )


def _section(title: str, *parts: str) -> Html:
    return _element("section", _element("h2", title), *parts)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """A table whose first column names the rows; the others hold figures."""
    head = _element("tr", *(_element("th", text, scope="col") for text in heads))
    body = (
        _element("tr", _element("th", row[0], scope="row"), *(_element("td", cell) for cell in row[1:])) for row in rows
    )
    return _element(
        "div",
        _element("table", _element("thead", head), _element("tbody", *body)),
        class_="wide",
        tabindex="0",
    )
