"""HTML pages of reports: one file that needs nothing but itself, whatever the texts hold that stand in it.

document("Title", element("h1", "Title"), section("Results", table(("a", "b"), [("1", "2")])))
"""

import base64
import html
from collections.abc import Sequence

from curriculum_verl.words import printable

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


def element(tag: str, *parts: str, **attributes: str) -> Html:
    """An element with its content; `class_` stands for class, and `meta` and `img` have no content to close."""
    said = "".join(f' {name.rstrip("_").replace("_", "-")}="{escaped(value)}"' for name, value in attributes.items())
    if tag in ("meta", "img"):
        return Html(f"<{tag}{said}>")
    return Html(f"<{tag}{said}>{''.join(map(escaped, parts))}</{tag}>")


def escaped(text: str) -> Html:
    """The text as a piece of the page."""
    return text if isinstance(text, Html) else Html(html.escape(printable(text)))


def document(title: str, *parts: str) -> str:
    """The whole page; it runs no script and loads nothing, and stays well-formed."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", title),
        element("style", Html(STYLE)),
    )
    body = element("body", element("main", *parts))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def picture(png: bytes, alt: str, caption: str) -> Html:
    """A picture with words for those who do not see it."""
    data = base64.b64encode(png).decode("ascii")
    image = element("img", src=f"data:image/png;base64,{data}", alt=alt)
    return element("figure", image, element("figcaption", caption))


def section(title: str, *parts: str) -> Html:
    """A part of the page under its heading."""
    return element("section", element("h2", title), *parts)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """A table whose first column names the rows; the others hold figures."""
    head = element("tr", *(element("th", text, scope="col") for text in heads))
    body = (
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    )
    return element(
        "div",
        element("table", element("thead", head), element("tbody", *body)),
        class_="wide",
        tabindex="0",
    )
