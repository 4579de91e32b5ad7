"""A page of the monitor as a reader uses it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chromium import Visit

from curriculum_verl.monitor import page
from curriculum_verl.monitor.runs import open_runs
from curriculum_verl.monitor.watch import Watch
from curriculum_verl.web.serving import serving

EVERY = 0.3  # seconds between two looks at the files


@contextmanager
def watched(folders: Sequence[Path], rollouts: Path | None = None) -> Iterator[str]:
    """The address of a monitor of these runs."""
    before, page.EVERY = page.EVERY, EVERY
    try:
        with serving(page.monitor_page(Watch(open_runs(folders, [], rollouts)))) as address:
            yield address
    finally:
        page.EVERY = before


class Reader(Visit):
    """Opens tabs, waits for charts, chooses."""

    def open(self, tab: str) -> None:
        # A tab that is clicked before gradio listens shows itself, and nobody is told.
        self.eventually("document.querySelector('#standing')?.textContent.trim().length > 0")
        self.page.get_by_role("tab", name=tab).click()
        self.page.locator(f"#tab-{tab.lower()}").wait_for()

    def drawn(self, chart: str) -> list[dict[str, Any]]:
        """What a chart shows, once it shows something."""
        plot = f"#chart-{chart} .cv-plot"
        self.page.locator(plot).scroll_into_view_if_needed()
        self.eventually("plot => document.querySelector(plot)?._fullData?.length > 0", plot)
        found: list[dict[str, Any]] = self.page.evaluate(
            "plot => document.querySelector(plot)._fullData.map(({type, name, x, y, base, labels, customdata}) =>"
            " ({type, name, x: x && Array.from(x), y: y && Array.from(y), base, labels, customdata}))",
            plot,
        )
        return found

    def until(self, selector: str, words: str) -> None:
        """Wait until something shows these words."""
        self.eventually("([at, words]) => document.querySelector(at)?.textContent.includes(words)", [selector, words])

    def choose(self, control: str, option: str) -> None:
        """Choose in a list."""
        self.page.locator(f"{control} input").click()
        self.page.get_by_role("option", name=option).first.click()
