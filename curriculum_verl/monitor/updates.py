"""What the page is told after a look at the files: nothing, if nothing has changed for it."""

from dataclasses import replace
from typing import Any

from curriculum_verl.monitor import panels
from curriculum_verl.monitor.figures import CHARTS, draw, of_runs
from curriculum_verl.monitor.figures.drawing import metric_chart, things
from curriculum_verl.monitor.view import View
from curriculum_verl.monitor.watch import Watch
from curriculum_verl.pages import element
from curriculum_verl.web.charts import Chart, feed
from curriculum_verl.web.quiet import gr

NONE = "No run is chosen: check one above."
TABS = {
    "overview": ("timeline", "success", "reward-now", "reward-weighted", "validation", "shares", "tools"),
    "training": ("kl", "filtering", "length", "entropy", "loss", "gradient", "learning-rate", "reward-raw"),
    "curriculum": ("exit", "bucket-success", "forgetting", "tokens"),
    "trajectories": (),
    "metrics": ("metric",),
    "export": tuple(CHARTS),
}


class Updates:
    """Answers the timer and every control; `seen` is what this page was told last."""

    def __init__(self, watch: Watch):
        self._watch = watch

    def __call__(
        self, runs: list[str], window: int, last: int, tab: str, wanted: str, metric: str | None, seen: Any
    ) -> tuple[Any, ...]:
        """Pictures, standing, exits, events, the table, the metrics that can be drawn, and what is seen now."""
        versions = self._watch.refresh()
        tab = tab if tab in TABS else "overview"
        before, standing_before = seen or (None, None)
        key = versions, tuple(runs), window, last, tab, wanted, metric
        with self._watch.lock:
            view = self._watch.view(runs, window, last or None)
            none = not runs and len(self._watch.runs) > 1
            standing = element("p", NONE, class_="cv cv-card soft") if none else panels.standing(view)
            if key == before and standing == standing_before:
                return (gr.skip(),) * 7
            told: dict[str, Any] = {}
            if key != before:
                told = self._nothing(tab) if none else self._told(view, tab, wanted, metric)
        pieces = [told.get(name, gr.skip()) for name in ("pictures", "exits", "events", "table", "metric")]
        now = gr.skip() if standing == standing_before else standing
        return pieces[0], now, *pieces[1:], (key, standing)

    def _nothing(self, tab: str) -> dict[str, Any]:
        """No run is checked: that is said in place of everything."""
        whole = draw(self._watch.view([], 1, 1), [name for name in TABS[tab] if name in CHARTS])
        pictures = {name: Chart(chart.title, NONE) for name, chart in whole.items()}
        pictures |= {"metric": Chart("One metric", NONE)} if tab == "metrics" else {}
        words = element("p", NONE, class_="cv cv-card soft")
        return {"pictures": feed(pictures), "exits": words, "events": words, "table": words}

    def _told(self, view: View, tab: str, wanted: str, metric: str | None) -> dict[str, Any]:
        """What the tab that is open shows."""
        told: dict[str, Any] = {}
        if tab == "metrics":
            told["pictures"] = feed({"metric": _one(view, metric)})
            told["table"] = panels.metrics(view, wanted)
            told["metric"] = gr.update(choices=sorted({n for run in view.runs for n in run.history.metrics.names}))
        elif TABS[tab]:
            told["pictures"] = feed(draw(view, TABS[tab]))
        if tab == "overview":
            told["exits"] = panels.exits(view)
        if tab == "curriculum":
            told["events"] = panels.events(view)
        return told


def _one(view: View, metric: str | None) -> Chart:
    if not metric:
        return Chart("One metric", "Choose a metric above to draw it.")
    chart = metric_chart(view, metric, things([(metric, metric)]), "no step has told it")
    return replace(chart, of=of_runs(view))
