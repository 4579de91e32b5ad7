"""A real Chromium without a window, and what a page does in it that it must not."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"]
DRAWN = """plot => document.querySelector(plot)._fullData.filter((trace) => trace.meta !== "casing")
  .map(({type, name, x, y, base, labels, customdata}) =>
    ({type, name, x: x && Array.from(x), y: y && Array.from(y), base, labels, customdata}))"""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser. Without one the test is skipped, in CI it fails."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing = "no Chromium was found; install it (Debian: apt install chromium), or set CHROMIUM to its path"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A page that was opened, with all that it asked for and complained of."""

    def __init__(self, browser: Any, address: str, **context: Any):
        self._context = browser.new_context(**{"viewport": {"width": 1440, "height": 1000}, **context})
        self.page = self._context.new_page()
        self.page.set_default_timeout(60_000)
        self.address = address
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def __enter__(self) -> "Visit":
        self.page.goto(self.address)
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    @property
    def foreign(self) -> list[str]:
        """What was asked of anybody but the server."""
        own = urlsplit(self.address).netloc
        return [url for url in self.asked if urlsplit(url).netloc != own and not url.startswith(("data:", "blob:"))]

    def check(self) -> None:
        """Nothing went wrong, and nothing went out."""
        assert self.complaints == []
        assert self.foreign == []

    def open(self, tab: str) -> None:
        """Open a tab."""
        # A tab that is clicked before gradio listens shows itself, and nobody is told.
        self.eventually("document.querySelector('#standing')?.textContent.trim().length > 0")
        self.page.get_by_role("tab", name=tab).click()
        self.page.locator(f"#tab-{tab.lower()}").wait_for()

    def until(self, selector: str, words: str) -> None:
        """Wait until something shows these words."""
        self.eventually("([at, words]) => document.querySelector(at)?.textContent.includes(words)", [selector, words])

    def choose(self, control: str, option: str) -> None:
        """Choose in a list."""
        self.page.locator(f"{control} input").click()
        self.page.get_by_role("option", name=option).first.click()

    def drawn(self, chart: str) -> list[dict[str, Any]]:
        """What a chart shows, once it shows something."""
        plot = f"#chart-{chart} .cv-plot"
        self.page.locator(plot).scroll_into_view_if_needed()
        self.eventually("plot => document.querySelector(plot)?._fullData?.length > 0", plot)
        found: list[dict[str, Any]] = self.page.evaluate(DRAWN, plot)
        return found

    def eventually(self, expression: str, argument: Any = None) -> Any:
        """Wait until a JavaScript expression, or a function of the argument, is true; returns its value."""
        return self.page.wait_for_function(expression, arg=argument).json_value()
