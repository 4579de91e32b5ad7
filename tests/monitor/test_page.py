"""The page in a real browser: every element has its place, and lives while the file grows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from monitor import made_up

pytest.importorskip("gradio")

from chromium import Visit
from monitor.watching import watched

from curriculum_verl.monitor.updates import TABS

STEPS = 60


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("page")
    made_up.write_run(root / "curriculum", STEPS)
    with watched([root / "curriculum"]) as url:
        yield url


@pytest.fixture(scope="module")
def visit(address: str, browser: Any) -> Iterator[Visit]:
    with Visit(browser, address) as found:
        yield found


@pytest.fixture
def reader(visit: Visit) -> Iterator[Visit]:
    """The same page for all tests: each opens the tab that it wants, and leaves the controls as it found them."""
    yield visit
    visit.check()


def test_where_the_run_stands_is_said_first(reader: Visit) -> None:
    reader.until("#standing", "rollbacks 1")
    said = reader.page.locator("#standing").inner_text()
    for part in ("curriculum", "step 60", "stage everything", "forgetting alarms 1", "alert kl"):
        assert part in said, part


@pytest.mark.parametrize("tab", ["Overview", "Training", "Curriculum"])
def test_every_chart_has_its_place_and_is_drawn(tab: str, reader: Visit) -> None:
    reader.open(tab)
    for name in TABS[tab.lower()]:
        reader.until(f"#chart-{name} .cv-summary", ".")
        if name != "exit":  # the last stage has none
            assert reader.drawn(name)
        assert reader.page.locator(f"#chart-{name} h3").inner_text()
        assert reader.page.locator(f"#chart-{name} .cv-summary").inner_text().endswith(".")


def test_the_overview_tells_of_reward_tools_and_stages(reader: Visit) -> None:
    reader.open("Overview")
    [ring] = reader.drawn("reward-now")
    assert (ring["type"], ring["labels"]) == ("pie", ["final", "coherence", "curiosity"])
    [bars] = reader.drawn("tools")
    assert sorted(bars["y"]) == sorted(made_up.TOOLS)
    stays, marks = reader.drawn("timeline")
    assert stays["y"] == ["learn_goal", "learn_coherence", "everything", "learn_coherence", "everything"]
    assert any("rollback from everything to learn_coherence" in text for text in marks["customdata"])
    reader.until("#exits", "no exit test")


def test_events_stand_in_a_table_with_their_reasons(reader: Visit) -> None:
    reader.open("Curriculum")
    reader.until("#events", "rollback")
    rows = reader.page.locator("#events tbody tr").all_inner_texts()
    assert len(rows) == 7
    assert "val/score fell from 0.55 to 0.47" in rows[1]


def test_window_and_span_change_what_is_drawn(reader: Visit) -> None:
    reader.open("Overview")
    pale, main = reader.drawn("success")
    assert len(main["x"]) == STEPS
    reader.page.locator("#window input[type=number]").fill("1")
    reader.page.keyboard.press("Tab")
    reader.eventually("document.querySelector('#chart-success .cv-plot').data.length === 1")
    [only] = reader.drawn("success")
    assert only["y"] == pytest.approx(pale["y"])
    assert only["y"] != pytest.approx(main["y"])
    reader.page.locator("#window input[type=number]").fill("20")
    reader.page.keyboard.press("Tab")
    reader.eventually("document.querySelector('#chart-success .cv-plot').data.length === 3")


def test_metrics_are_filtered_and_drawn(reader: Visit) -> None:
    reader.open("Metrics")
    reader.until("#metrics", "actor/entropy")
    reader.page.locator("#filter textarea, #filter input").first.fill("weighted final")
    reader.until("#metrics", "1 metric of")
    assert reader.page.locator("#metrics tbody th").all_inner_texts() == ["reward_weighted/final"]
    reader.choose("#metric", "curriculum/filtering_rate")
    reader.until("#chart-metric h3", "curriculum/filtering_rate")
    assert len(reader.drawn("metric")[-1]["x"]) == STEPS


def test_files_are_offered_and_figures_saved(reader: Visit) -> None:
    reader.open("Export")
    for name, begin in (("metrics.csv", b"run,step"), ("events.csv", b"run,step"), ("metrics.json", b'{"runs"')):
        with reader.page.expect_download() as saved:
            reader.page.locator(f"#exports a[href='/export/{name}']").click()
        assert saved.value.suggested_filename == name
        assert saved.value.path().read_bytes().startswith(begin)
    reader.until("#feed", "In all so far")
    with reader.page.expect_download() as saved:
        reader.page.get_by_role("button", name="All figures (PNG)").click()
    picture = saved.value.path().read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20]) == 3608, "two columns"
    assert int.from_bytes(picture[20:24]) > 9 * 2 * 380


@pytest.mark.parametrize(
    ("box", "tab", "text", "said", "found", "all_of_them"),
    [
        ("#filter", "Metrics", "weighted final", "#metrics", "1 metric of", "41 metrics of"),
        ("#viewer-low", "Trajectories", "0.5", "#viewer-said", "8 prompts of 8, 8 responses", "23 responses"),
    ],
)
def test_what_is_pasted_cut_and_erased_counts(
    box: str, tab: str, text: str, said: str, found: str, all_of_them: str, reader: Visit
) -> None:
    reader.open(tab)
    reader.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    field = reader.page.locator(f"{box} :is(input, textarea)").first
    field.fill("")
    reader.until(said, all_of_them)
    field.click()
    keys = reader.page.keyboard
    keys.type(text, delay=1)
    reader.until(said, found)
    keys.press("Control+A")
    keys.press("Control+X")
    reader.until(said, all_of_them)
    assert field.input_value() == ""
    keys.press("Control+V")
    reader.until(said, found)
    for _ in text:
        keys.press("Backspace")
    reader.until(said, all_of_them)


def test_the_report_opens_from_a_disk_with_no_network(address: str, browser: Any, tmp_path: Path) -> None:
    with Visit(browser, address) as visit:
        visit.open("Export")
        with visit.page.expect_download() as saved:
            visit.page.locator("#exports a[href='/export/report.html']").click()
        saved.value.save_as(tmp_path / "report.html")
    with Visit(browser, f"file://{tmp_path / 'report.html'}", offline=True, color_scheme="dark") as visit:
        assert len(visit.drawn("timeline")) == 2
        assert visit.page.locator("cv-chart").count() == 19
        assert visit.page.evaluate("document.body.classList.contains('dark')")
        assert visit.asked == [visit.address]
        assert visit.complaints == []


def test_nothing_is_sent_while_nothing_changes(reader: Visit) -> None:
    def look_again(times: int) -> str | None:
        for _ in range(times):
            with reader.page.expect_request("**/queue/join*"):
                pass
        return reader.page.locator("#chart-success").get_attribute("data-drawn")

    reader.open("Overview")
    reader.drawn("success")
    before = look_again(6)  # by then, what the tab asked for has come
    assert look_again(6) == before


def test_a_run_is_followed_while_its_file_grows(browser: Any, tmp_path: Path) -> None:
    """Empty folder, first lines, a half-written line, a resumed run that voids steps, a new run in the same place."""
    lines = list(made_up.grpo(30))
    path = tmp_path / "run" / "curriculum.jsonl"
    path.parent.mkdir()
    with watched([path.parent]) as address, Visit(browser, address) as visit:
        visit.until("#standing", "Waiting for")
        visit.until("#chart-success .cv-summary", "Nothing to show yet")
        path.write_bytes(b"".join(lines[:7]))
        visit.until("#standing", "step 5")
        assert visit.drawn("success")[-1]["x"] == [1, 2, 3, 4, 5]
        visit.until("#exits", "train/success_rate over 10 above 0.7")
        with path.open("ab") as file:
            file.write(b"".join(lines[7:]) + lines[-1][:50])
        visit.until("#standing", "step 30")
        visit.until("#standing", "stage everything")
        with path.open("ab") as file:
            file.write(lines[-1][50:].replace(b'"step": 30', b'"step": 31'))
        visit.until("#standing", "stage everything")
        with path.open("ab") as file:
            file.write(made_up.start(9) + b"".join(line for line in lines if b'"step": 10,' in line))
        visit.until("#standing", "step 10")
        visit.until("#standing", "Resumed 1 time")
        visit.eventually(
            "Array.from(document.querySelector('#chart-success .cv-plot')._fullData.at(-1).x).at(-1) === 10"
        )
        path.write_bytes(b"".join(lines[:3]))
        visit.until("#standing", "step 2")
        assert "Resumed" not in visit.page.locator("#standing").inner_text()
        visit.check()


def test_runs_are_laid_over_each_other(browser: Any, tmp_path: Path) -> None:
    made_up.write_run(tmp_path / "base", 30)
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "curriculum.jsonl").write_bytes(b"".join(made_up.sft(40)))
    with watched([tmp_path / "base", tmp_path / "sft"]) as address, Visit(browser, address) as visit:
        visit.until("#standing", "sft")
        names = {one["name"] for one in visit.drawn("success")}
        assert names == {"base", "sft"}
        visit.until("#chart-reward-now .cv-summary", "base: final")
        visit.page.locator("#runs").get_by_label("base").uncheck()
        visit.until("#chart-reward-now .cv-summary", "Nothing to show yet")
        visit.eventually("document.querySelectorAll('#standing h3').length === 1")
        visit.open("Training")
        assert visit.drawn("loss")[-1]["name"] == "validation"
        visit.open("Metrics")
        visit.choose("#metric", "train/learning_rate")
        visit.until("#chart-metric h3", "train/learning_rate")
        visit.page.locator("#runs").get_by_label("base").check()
        visit.page.locator("#runs").get_by_label("sft").uncheck()  # the only one with the metric that is drawn
        visit.until("#chart-metric .cv-summary", "no step has told it")
        visit.page.locator("#runs").get_by_label("base").uncheck()
        visit.until("#standing", "No run is chosen")
        visit.until("#chart-metric .cv-summary", "No run is chosen")
        visit.page.locator("#runs").get_by_label("sft").check()
        visit.until("#chart-metric .cv-summary", "(step 40)")
        visit.check()
