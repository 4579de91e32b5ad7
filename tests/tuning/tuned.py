"""The page of a recipe, as a reader uses it."""

from pathlib import Path
from typing import Any

from chromium import Visit

from curriculum_verl.commands.tune import build_parser, prepare
from curriculum_verl.tuning.model import Tuning


def tuning_of(recipe: Path, *more: str) -> Tuning:
    return prepare(build_parser().parse_args([str(recipe), "--steps", "60", *more]))


class Editor(Visit):
    """Fills fields and waits for what comes of it."""

    def __enter__(self) -> "Editor":
        super().__enter__()
        self.until("#standing", "valid")
        return self

    def open(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab).click()
        self.page.locator(f"#tab-{tab.lower()}").wait_for()

    def fill(self, field: str, value: str) -> None:
        self.page.locator(f"#{field} :is(input, textarea)").first.fill(value)

    def until(self, selector: str, words: str) -> None:
        """Wait until something shows these words."""
        self.eventually("([at, words]) => document.querySelector(at)?.textContent.includes(words)", [selector, words])

    def value(self, field: str) -> str:
        return str(self.page.locator(f"#{field} :is(input, textarea)").first.input_value())

    def drawn(self, chart: str) -> list[dict[str, Any]]:
        """What a chart shows."""
        plot = f"#chart-{chart} .cv-plot"
        self.page.locator(plot).scroll_into_view_if_needed()
        self.eventually("plot => document.querySelector(plot)?._fullData?.length > 0", plot)
        found: list[dict[str, Any]] = self.page.evaluate(
            "plot => document.querySelector(plot)._fullData.map(({name, x, y, customdata}) =>"
            " ({name, x: x && Array.from(x), y: y && Array.from(y), customdata}))",
            plot,
        )
        return found
