"""The report: one HTML file with every picture and table, that needs no network and no server."""

import base64
import hashlib
import time
from collections.abc import Iterator

from curriculum_verl.monitor import panels
from curriculum_verl.monitor.figures import CHARTS, draw
from curriculum_verl.monitor.view import View
from curriculum_verl.pages import Html, element
from curriculum_verl.web.charts import feed, place
from curriculum_verl.web.page import ASSETS, SCRIPTS, plotly_script

TALL = ("timeline",)
STYLE = """body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; background: var(--cv-paper); color: var(--cv-ink); }
* { box-sizing: border-box; } main { max-width: 100rem; margin: auto; padding: 1.5rem; }"""


def report(view: View) -> Iterator[bytes]:
    """The file, piece by piece; its policy lets the scripts in it run, and nothing load."""
    scripts = [Html(path.read_text()) for path in (plotly_script(), *(ASSETS / name for name in SCRIPTS))]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:"
    title = "Training report: " + ", ".join(run.name for run in view.runs)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("title", title),
        element("style", Html((ASSETS / "page.css").read_text() + STYLE)),
    )
    yield f'<!doctype html>\n<html lang="en">{head}<body data-theme="auto"><main class="cv">'.encode()
    yield element("h1", title).encode()
    yield element("p", _written(view), class_="soft").encode()
    yield element("noscript", "The figures need JavaScript, which is in this file; the tables do not.").encode()
    yield panels.standing(view).encode()
    yield element("h2", "What ends the stage").encode() + panels.exits(view).encode()
    yield element("h2", "Figures").encode()
    places = [place(name, tall=name in TALL) for name in CHARTS]
    yield element("div", *places, class_="cv-grid").encode()
    yield feed(draw(view, CHARTS)).encode()
    yield element("h2", "Events").encode() + panels.events(view).encode()
    yield element("h2", "Metrics").encode() + panels.metrics(view, "").encode()
    yield b"</main>"
    for script in scripts:
        yield f"<script>{script}</script>".encode()
    yield b"</body></html>\n"


def _written(view: View) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime())
    shown = "all steps" if view.last is None else f"the last {view.last:,} steps"
    return f"Written {when}, of {shown}, moving averages over {view.window} steps."
