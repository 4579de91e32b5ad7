"""The monitor's page: gradio's controls around pictures and panels that are made elsewhere."""

from collections.abc import Callable
from functools import partial
from typing import Any

from curriculum_verl.monitor.downloads import downloads
from curriculum_verl.monitor.trajectories import Trajectories
from curriculum_verl.monitor.updates import TABS, Updates
from curriculum_verl.monitor.watch import Watch
from curriculum_verl.pages import Html, element
from curriculum_verl.web.charts import place
from curriculum_verl.web.page import Page
from curriculum_verl.web.quiet import AS_SENT, QUIETLY, fetch_always, gr, html

EVERY = 2.0  # seconds between two looks at the files
SPANS = {"all steps": 0, "last 100": 100, "last 500": 500, "last 2,000": 2000, "last 10,000": 10_000}
WIDE = ("timeline", "metric")  # pictures that take a row of their own
FILES = (
    ("metrics.csv", "Metrics (CSV)", "a line for each step of each run, a column for each metric"),
    ("events.csv", "Events (CSV)", "transitions, alarms, alerts, warnings and stops"),
    ("metrics.json", "Everything (JSON)", "metrics, events, stages and exit tests"),
    ("report.html", "Report (HTML)", "one file with every figure and table, for reading without a network"),
)


def monitor_page(watch: Watch) -> Page:
    """The page that watches these runs."""
    return Page(partial(build, watch), downloads(watch))


def build(watch: Watch) -> gr.Blocks:
    """The blocks."""
    updates = Updates(watch)
    blocks: gr.Blocks
    with gr.Blocks(title="Training monitor", fill_width=True) as blocks:
        html(_head(watch))
        controls = _controls(watch)
        tab, seen = gr.State("overview"), gr.State(None)
        standing = html(elem_id="standing")
        pictures = html(elem_id="feed", elem_classes="cv-hidden")
        panels: dict[str, Any] = {}
        with gr.Tabs(elem_id="tabs"):
            for name, make in INNER.items():
                with gr.Tab(name.capitalize(), id=name, elem_id=f"tab-{name}") as one:
                    panels |= make(watch)
                one.select(partial(str, name), None, tab, **QUIETLY)
        told = [panels[name] for name in ("exits", "events", "table", "metric")]
        inputs = [*controls[:3], tab, panels["filter"], panels["metric"], seen]
        timer = gr.Timer(EVERY)
        changes = [one.change for one in (*controls[:3], panels["filter"], panels["metric"])]
        gr.on(
            [blocks.load, timer.tick, tab.change, *changes],
            updates,
            inputs,
            [pictures, standing, *told, seen],
            **AS_SENT,
        )
        panels["viewer"].listen([timer.tick, tab.change], tab)
        fetch_always()
        controls[3].change(lambda live: gr.Timer(active=live), controls[3], timer, **QUIETLY)
    return blocks


def _head(watch: Watch) -> Html:
    files = ", ".join(str(run.followed.path) for run in watch.runs)
    return element("header", element("h1", "Training monitor"), element("p", files, class_="soft"), class_="cv")


def _controls(watch: Watch) -> list[Any]:
    """Runs, window, span, live."""
    names = [run.name for run in watch.runs]
    with gr.Row(elem_id="controls"):
        runs = gr.CheckboxGroup(names, value=names, label="Runs", elem_id="runs", visible=len(names) > 1, min_width=240)
        window = gr.Slider(1, 200, 20, step=1, label="Moving average (steps)", elem_id="window", min_width=220)
        last = gr.Dropdown(list(SPANS.items()), value=0, label="Steps shown", elem_id="last", min_width=160)
        live = gr.Checkbox(True, label="Live", elem_id="live", container=False, min_width=80)
    return [runs, window, last, live]


def _grid(tab: str) -> Html:
    places = [element("div", place(name), class_="cv-wide" if name in WIDE else "cv-cell") for name in TABS[tab]]
    return element("div", *places, class_="cv-grid")


def _overview(_: Watch) -> dict[str, Any]:
    html(_grid("overview"))
    html(element("h2", "What ends the stage"), elem_classes="cv")
    return {"exits": html(elem_id="exits")}


def _training(_: Watch) -> dict[str, Any]:
    html(_grid("training"))
    return {}


def _trajectories(watch: Watch) -> dict[str, Any]:
    return {"viewer": Trajectories(watch)}


def _curriculum(_: Watch) -> dict[str, Any]:
    html(_grid("curriculum"))
    html(element("h2", "Transitions, alarms, alerts, warnings"), elem_classes="cv")
    return {"events": html(elem_id="events")}


def _metrics(_: Watch) -> dict[str, Any]:
    with gr.Row():
        wanted = gr.Textbox(label="Only metrics whose name has", placeholder="reward final", elem_id="filter")
        metric = gr.Dropdown([], label="Draw a metric", elem_id="metric", filterable=True)
    html(_grid("metrics"))
    return {"filter": wanted, "metric": metric, "table": html(elem_id="metrics")}


def _export(_: Watch) -> dict[str, Any]:
    links = [
        element("p", element("a", text, href=f"/export/{name}", download=name, class_="cv-button"), f" {what}")
        for name, text, what in FILES
    ]
    every = element(
        "p",
        Html("<cv-save-all></cv-save-all>"),
        " every figure that has something to show, in one picture; each has a button too",
    )
    html(element("div", *links, every, class_="cv cv-card cv-files"), elem_id="exports")
    return {}


INNER: dict[str, Callable[[Watch], dict[str, Any]]] = {
    "overview": _overview,
    "training": _training,
    "curriculum": _curriculum,
    "trajectories": _trajectories,
    "metrics": _metrics,
    "export": _export,
}
