"""What stays right in pictures and texts while the page changes: on the screen, on paper, in saved files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Visit
from monitor import made_up

pytest.importorskip("gradio")

from monitor.watching import watched

STEPS = 60


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("pictures")
    made_up.write_run(root / "curriculum", STEPS)
    with watched([root / "curriculum"]) as url:
        yield url


PAINTED = """() => { const made = []; window.made = made; const paper = CanvasRenderingContext2D.prototype;
  const [write, draw] = [paper.fillText, paper.drawImage];
  const seen = (name, work) => function (what, ...at) {
    if (this.canvas.width === 3608) made.push([name, name === 'text' ? what : '', ...at]);
    return work.call(this, what, ...at); };
  paper.fillText = seen('text', write); paper.drawImage = seen('picture', draw); }"""


def test_a_saved_picture_says_whose_it_is_and_nothing_in_it_overlaps(address: str, browser: Any) -> None:
    with Visit(browser, address, color_scheme="dark") as visit:
        visit.open("Export")
        visit.until("#feed", "In all so far")
        visit.page.evaluate(PAINTED)
        with visit.page.expect_download():
            visit.page.get_by_role("button", name="All figures (PNG)").click()
        cells: list[list[Any]] = [[]]
        for one in visit.page.evaluate("window.made"):  # the words of a picture, then the picture
            cells[-1].append(one)
            if one[0] == "picture":
                cells.append([])
        *cells, nothing = cells
        assert nothing == []
        assert len(cells) == 18  # all but the tests that end the last stage
        for *words, (_, _, left, top, *_) in cells:
            assert words[1][1] == f"curriculum (to step {STEPS})"
            assert all(word[2] == left and word[3] + 17 <= top for word in words), words
        for place, (*_, (_, _, left, top, _, height)) in enumerate(cells):
            assert all(later[0][3] >= top + height for later in cells[place + 1 :] if later[0][2] == left)
        visit.check()


STALE = "document.querySelector('#chart-tools').classList.contains('cv-stale')"
OPAQUE = "getComputedStyle(document.querySelector('#chart-tools .cv-plot')).opacity"


def test_no_old_picture_stands_under_new_words(browser: Any, tmp_path: Path) -> None:
    """What is not on the screen is drawn later; until then, and on paper, nothing of before is seen."""
    for name, seed in (("one", 0), ("two", 3)):
        made_up.write_run(tmp_path / name, 30, seed)
    small = {"width": 1000, "height": 400}
    with (
        watched([tmp_path / "one", tmp_path / "two"]) as address,
        Visit(browser, address, viewport=small, color_scheme="dark") as visit,
    ):
        visit.until("#chart-tools .cv-summary", "two: ")
        assert {one["name"] for one in visit.drawn("tools")} == {"one", "two"}
        visit.page.evaluate("scrollTo(0, 0)")
        visit.page.locator("#runs").get_by_label("two").uncheck()
        visit.eventually("!document.querySelector('#chart-tools .cv-summary').textContent.includes('two: ')")
        assert visit.page.evaluate(STALE)
        assert visit.page.evaluate(OPAQUE) == "0"
        visit.page.locator("#chart-tools").scroll_into_view_if_needed()
        visit.eventually(f"{OPAQUE} === '1'")
        assert [one["name"] for one in visit.drawn("tools")] == ["one"]
        visit.page.evaluate("scrollTo(0, 0)")
        visit.page.locator("#runs").get_by_label("two").check()
        visit.until("#chart-tools .cv-summary", "two: ")
        assert visit.page.evaluate(STALE)
        visit.page.evaluate("addEventListener('afterprint', () => { window.printed = true; })")
        assert visit.page.pdf().startswith(b"%PDF")
        visit.eventually("window.printed && document.body.classList.contains('dark')")
        names = "document.querySelector('#chart-tools .cv-plot').data.map((trace) => trace.name)"
        assert visit.page.evaluate(names) == ["one", "two"]
        visit.check()


def test_a_long_alert_is_opened_and_stays_open(browser: Any, tmp_path: Path) -> None:
    path = made_up.write_run(tmp_path / "run", 20)
    with path.open("ab") as file:
        file.write(made_up.line("alert", 20, name="kl", reason="far away " * 500))
    with watched([path.parent]) as address, Visit(browser, address) as visit:
        visit.until("#standing", "alert kl")
        note = visit.page.locator("#standing .cv-note")
        assert note.bounding_box()["height"] < 80
        note.locator("summary").click()
        visit.eventually("document.querySelector('#standing .cv-note').offsetHeight > 150")
        with path.open("ab") as file:
            file.write(made_up.line("step", 21, stage="everything", exit=[], metrics={}))
        visit.until("#standing", "step 21")
        assert note.locator("details").get_attribute("open") is not None
        visit.check()
