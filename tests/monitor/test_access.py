"""Whoever cannot use a mouse, or see colours or small contrasts, can use the page."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from monitor import made_up

pytest.importorskip("gradio")

from chromium import Visit
from monitor.watching import watched

IMAGES = Path(__file__).parents[2] / "docs" / "images"
TABS = ("Overview", "Training", "Curriculum", "Trajectories", "Metrics", "Export")
# The contrast of every text that is seen with what is behind it, where that is less than 4.5.
FAINT = """() => {
  const parse = (text) => { const p = text.match(/[\\d.]+/g).map(Number); return {rgb: p.slice(0, 3), a: p[3] ?? 1}; };
  const linear = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.a > 0.5) return c.rgb; } return [255, 255, 255]; };
  const found = [];
  for (const e of document.querySelectorAll('.gradio-container *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own && !['text', 'number'].includes(e.type) && e.tagName !== 'TEXTAREA') continue;
    if (e.closest('svg') || e.closest('[aria-hidden=true]') || !e.checkVisibility({visibilityProperty: true})) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color).rgb), light(behind(e))].sort((x, y) => x - y);
    const contrast = (b + 0.05) / (a + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${e.tagName}.${e.className} ${e.textContent.slice(0, 40)}`);
  }
  return found;
}"""
NAMELESS = """() => [...document.querySelectorAll('.gradio-container :is(button, input, textarea, a, [role=img])')]
  .filter((e) => e.checkVisibility() && !e.closest('[aria-hidden=true]') && !e.closest('.modebar'))
  .filter((e) => !(e.ariaLabel || e.getAttribute('aria-labelledby') || e.labels?.length || e.textContent.trim()))
  .map((e) => e.outerHTML.slice(0, 150))"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("access")
    made_up.write_run(root / "curriculum", 400)
    made_up.write_run(root / "base", 300, seed=5)
    with watched([root / "curriculum", root / "base"]) as url:
        yield url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_readable_and_controls_have_names(scheme: str, address: str, browser: Any) -> None:
    with Visit(browser, address, color_scheme=scheme) as visit:
        visit.until("#standing", "step 400")
        assert visit.page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
        for tab in TABS:
            visit.open(tab)
            if tab == "Trajectories":
                visit.until("#viewer-left", "malformed")
            assert visit.page.evaluate(FAINT) == [], tab
            assert visit.page.evaluate(NAMELESS) == [], tab
        visit.check()


LINES = """() => {
  const channels = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  const linear = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = (text) =>
    [0.2126, 0.7152, 0.0722].reduce((sum, part, at) => sum + part * linear(channels(text)[at]), 0);
  const paper = light(getComputedStyle(document.body).getPropertyValue('--cv-card').trim());
  const contrast = (text) => {
    const [a, b] = [paper, light(text)].sort((x, y) => x - y);
    return (b + 0.05) / (a + 0.05); };
  const plots = [...document.querySelectorAll('.cv-plot')].filter((plot) => plot.data && plot.checkVisibility());
  const lines = plots.flatMap((plot) => plot.data).filter((trace) => trace.line?.color && trace.meta !== 'casing');
  return lines.map(({name, opacity, line}) =>
    ({name, opacity: opacity ?? 1, width: line.width, contrast: contrast(line.color)}));
}"""


@pytest.mark.parametrize(("scheme", "strong"), [("light", 3.0), ("dark", 4.5)])
def test_lines_are_seen(scheme: str, strong: float, address: str, browser: Any) -> None:
    """Also the thin ones of the values themselves: 3 to 1 is what pictures need (WCAG 2.2, 1.4.11)."""
    with Visit(browser, address, color_scheme=scheme) as visit:
        for tab, charts in (("Overview", ("success", "validation")), ("Training", ("kl", "gradient"))):
            visit.open(tab)
            for chart in charts:
                visit.drawn(chart)
            found = visit.page.evaluate(LINES)
            assert {one["width"] for one in found} >= {1, 2.5}
            least = [3.0 if one["width"] == 1 else strong for one in found]
            faint = [one for one, at in zip(found, least, strict=True) if one["contrast"] < at or one["opacity"] < 1]
            assert faint == []


def test_the_page_is_used_with_the_keyboard_alone(address: str, browser: Any) -> None:
    with Visit(browser, address) as visit:
        visit.until("#standing", "step 400")
        page = visit.page
        reached = []
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.getAttribute('role') || document.activeElement.type"))
            if page.evaluate("document.activeElement.id") == "tab-overview-button":
                break
        assert {"checkbox", "range", "combobox", "tab"} <= set(reached)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        page.locator("#tab-metrics-button").focus()
        page.keyboard.press("Enter")
        page.locator("#filter textarea, #filter input").first.focus()
        page.keyboard.type("entropy")
        visit.until("#metrics", "1 metric of")
        assert page.evaluate("document.querySelector('#metrics .cv-scroll').tabIndex") == 0
        visit.check()


def test_nothing_moves_for_those_who_want_it_still(address: str, browser: Any) -> None:
    moving = "[...document.querySelectorAll('*')].some((e) => getComputedStyle(e).transitionDuration !== '0s')"
    with Visit(browser, address, reduced_motion="reduce") as visit:
        visit.drawn("success")
        assert not visit.page.evaluate(moving)


def test_a_narrow_window_shows_all_of_it(address: str, browser: Any) -> None:
    with Visit(browser, address, viewport={"width": 800, "height": 900}) as visit:
        for tab in TABS:
            visit.open(tab)
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= 800, tab


@pytest.mark.skipif("SCREENSHOTS" not in os.environ, reason="SCREENSHOTS is not set: the pictures of the docs stay")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 800])
def test_pictures_of_the_page(
    scheme: str, width: int, browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SCREENSHOTS=docs the pictures of the guide, with SCREENSHOTS=folder all of them, there."""
    given = os.environ["SCREENSHOTS"]
    folder = IMAGES if given == "docs" else Path(given).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path)  # what the pictures show is no path of the machine that made them
    curriculum, base = Path("outputs/curriculum"), Path("outputs/base")
    made_up.write_run(curriculum, 400)
    made_up.write_run(base, 300, seed=5)
    shown = [
        (TABS, [curriculum], ""),
        (("Overview",), [curriculum, base], "_two"),
    ]
    if given == "docs":
        if (scheme, width) != ("light", 1440):
            pytest.skip("the guide shows the light page at its usual width")
        shown = [(("Overview", "Trajectories"), [curriculum], "")]
    for tabs, runs, suffix in shown:
        with (
            watched(runs) as address,
            Visit(browser, address, color_scheme=scheme, viewport={"width": width, "height": 1000}) as visit,
        ):
            visit.drawn("timeline")
            for tab in tabs:
                visit.open(tab)
                if tab == "Trajectories":
                    visit.until("#viewer-left", "malformed")
                name = f"monitor_{tab.lower()}{suffix}" + ("" if given == "docs" else f"_{scheme}_{width}")
                height = visit.page.evaluate("document.documentElement.scrollHeight")
                visit.page.set_viewport_size({"width": width, "height": max(1000, height)})
                visit.eventually(
                    "[...document.querySelectorAll('cv-chart')].filter((c) => c.checkVisibility())"
                    ".every((c) => c.classList.contains('cv-empty') || c.querySelector('.main-svg'))"
                )
                visit.page.mouse.move(0, 0)
                visit.page.screenshot(path=folder / f"{name}.png", full_page=True)
                visit.page.set_viewport_size({"width": width, "height": 1000})
