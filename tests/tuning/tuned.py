"""The page of a recipe, as a reader uses it."""

from pathlib import Path
from typing import Any

from chromium import Visit

from curriculum_verl.commands.tune import build_parser, prepare
from curriculum_verl.tuning.desk import Desk
from curriculum_verl.tuning.model import Tuning

DELAY = 40  # milliseconds between keys: faster than answers come


def tuning_of(recipe: Path, *more: str) -> Tuning:
    return prepare(build_parser().parse_args([str(recipe), "--steps", "60", *more]))


def say(desk: Desk, **form: Any) -> dict[str, Any]:
    """Fields say this on the sheet that was sent last; what is written into fields in answer."""
    desk.hear(desk.sheets[-1].number, form)
    return desk.answer()[0]


class Editor(Visit):
    """Fills fields and waits for what comes of it; `type` and `press` wait for nothing."""

    def __enter__(self) -> "Editor":
        super().__enter__()
        self.until("#standing", "✓ valid:")
        return self

    def fill(self, field: str, value: str) -> None:
        self.page.locator(f"#{field} :is(input, textarea)").first.fill(value)

    def type(self, field: str, keys: str) -> None:
        """Type over what stands in a field, key by key."""
        self.page.locator(f"#{field} :is(input, textarea)").first.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(keys, delay=DELAY)

    def press(self, button: str) -> None:
        self.page.locator(f"#{button}").click()

    def tab(self, name: str) -> None:
        """Go to a tab that was open before."""
        self.page.get_by_role("tab", name=name).click()

    def choose_stage(self, title: str) -> None:
        self.choose("#stage", title)

    def value(self, field: str) -> str:
        return str(self.page.locator(f"#{field} :is(input, textarea)").first.input_value())

    def shows(self, field: str, value: str) -> None:
        """Wait until a field shows this."""
        self.eventually(
            "([at, value]) => document.querySelector(at)?.value === value",
            [f"#{field} :is(input, textarea)", value],
        )

    def text_is(self, text: str) -> None:
        """Wait until the text is this, wherever the reader is."""
        self.open("Text")
        self.shows("text", text)
