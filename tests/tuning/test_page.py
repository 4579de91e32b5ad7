"""The page in a real browser: what is changed shows at once, what is wrong is said, and what is saved is a recipe."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tuning.recipes import TEXT, write_recipe, write_rollouts
from tuning.tuned import Editor, tuning_of

pytest.importorskip("gradio")

from monitor.test_access import FAINT, NAMELESS

from curriculum_verl import cli
from curriculum_verl.simulation.run import Trace, simulate
from curriculum_verl.tuning.desk import Desk
from curriculum_verl.tuning.page import tuning_page
from curriculum_verl.web.serving import serving

HOSTILE = "<img src=x onerror='window.stolen=1'><script>window.stolen=2</script>${window.stolen=3}{{x}}"
TABS = ("Stages", "Policy", "Rules", "Text", "Simulation", "Save")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def address(recipe: Path) -> Iterator[str]:
    log = write_rollouts(recipe.parent / "log")
    with serving(tuning_page(tuning_of(recipe, "--rollouts", str(log)))) as url:
        yield url


@pytest.fixture
def editor(address: str, browser: Any) -> Iterator[Editor]:
    with Editor(browser, address) as found:
        yield found
        found.check()


def test_it_opens_with_the_recipe_and_what_comes_of_it(editor: Editor) -> None:
    assert editor.value("field-name") == "first"
    editor.shows("field-share_1", "")
    assert [trace["name"] for trace in editor.drawn("batch")][:2] == ["easy", "hard"]
    assert {len(trace["x"]) for trace in editor.drawn("batch")} == {60}
    editor.until("#story", "advance: stage/steps at_least 30 (30)")
    rows = editor.page.locator("#stages tbody tr").all_inner_texts()
    assert len(rows) == 3
    assert "the mean of train/success_rate over the stage's last 5 values is above 0.99 or" in rows[0]


def test_keys_go_where_they_are_typed_whatever_is_clicked_at_once(editor: Editor) -> None:
    editor.open("Text")
    editor.open("Stages")
    editor.type("field-knob_2", "125")
    editor.choose_stage("2. second")
    editor.shows("field-name", "second")
    editor.shows("field-knob_0", "25")
    editor.type("field-name", "next")
    editor.choose_stage("3. third")
    editor.shows("field-name", "third")
    editor.text_is(TEXT.replace("at_least: 30", "at_least: 125").replace("name: second", "name: next"))
    assert editor.value("stage") == "3. third", "no late answer sets it back"


def test_saved_at_once_is_what_was_typed(editor: Editor, recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is answered before Save is pressed: the browser holds back all keys but the first."""
    pressed, answer = threading.Event(), Desk.answer

    def answer_late(desk: Desk) -> Any:
        assert pressed.wait(60)
        return answer(desk)

    editor.open("Save")
    editor.fill("file", "typed.yaml")
    editor.tab("Stages")
    monkeypatch.setattr(Desk, "answer", answer_late)
    editor.type("field-knob_2", "125")
    editor.tab("Save")
    editor.press("save")
    pressed.set()
    editor.until("#saved", "written: ")
    assert (recipe.parent / "typed.yaml").read_text() == TEXT.replace("at_least: 30", "at_least: 125")
    (recipe.parent / "typed.yaml").unlink()
    editor.tab("Stages")
    editor.type("field-knob_2", "12")
    editor.eventually("document.querySelector('#saved').textContent.trim() === ''")


@pytest.mark.parametrize("keys", [["7"], ["8", "Backspace", "7"], ["-", "Backspace", "7"]])
def test_a_field_that_is_emptied_is_typed_anew_where_it_was(keys: list[str], editor: Editor) -> None:
    assert editor.page.locator("#field-knob_0 label").inner_text().strip() == "train/success_rate window"
    editor.page.locator("#field-knob_0 :is(input, textarea)").first.click()
    editor.page.keyboard.press("End")
    editor.page.keyboard.press("Backspace")
    editor.until("#wrong-exit", "train/success_rate window: got nothing, expected a number")
    for key in keys:
        editor.page.keyboard.press(key)
    editor.eventually("!document.querySelector('#wrong-exit').textContent.trim()")
    editor.text_is(TEXT.replace("window: 5", "window: 7"))


def test_what_is_no_value_stays_in_its_field_and_out_of_the_recipe(editor: Editor, recipe: Path) -> None:
    editor.open("Rules")
    editor.type("field-rollback_threshold", "-0,3")
    editor.until("#wrong-rollback", "threshold: got the text '-0,3', expected a number")
    editor.open("Save")
    editor.press("save")
    editor.until("#saved", "mend them first, nothing was written")
    assert not (recipe.parent / "recipe.tuned.yaml").exists()
    editor.text_is(TEXT)
    editor.tab("Rules")
    assert editor.value("field-rollback_threshold") == "-0,3"
    editor.type("field-rollback_threshold", "-0.3")
    editor.text_is(TEXT.replace("-0.5", "-0.3"))


def test_editing_and_saving_wait_for_no_simulation(
    editor: Editor, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that would never end goes on until the next change, which abandons it."""
    begun, ended = threading.Event(), threading.Event()

    def endless(config: Any, world: Any, run: Any, label: None) -> Trace:
        if config.replay_floor != 0.3:
            return simulate(config, world, run, label)
        begun.set()
        try:
            while True:
                world.respond(np.array([0]), np.array([1]), np.random.default_rng(0))
        finally:
            ended.set()

    monkeypatch.setattr("curriculum_verl.tuning.trial.simulate", endless)
    editor.open("Rules")
    editor.type("field-replay_floor", "0.3")
    editor.until("#standing", "Simulating ... Pictures and tables are of the recipe before.")
    assert begun.wait(60)
    assert '"of the recipe before"' in editor.page.evaluate(
        "getComputedStyle(document.querySelector('#chart-batch'), '::before').content"
    )
    editor.text_is(TEXT.replace("floor: 0.1", "floor: 0.3"))
    editor.open("Save")
    editor.fill("file", "while.yaml")
    editor.press("save")
    editor.until("#saved", "written: ")
    (recipe.parent / "while.yaml").unlink()
    assert not ended.is_set()
    editor.tab("Rules")
    editor.type("field-replay_floor", "0.2")
    editor.until("#standing", "✓ valid: 60 steps")
    assert ended.is_set()


def test_a_page_that_is_opened_anew_has_what_was_not_saved(recipe: Path, browser: Any) -> None:
    with serving(tuning_page(tuning_of(recipe))) as url, Editor(browser, url) as editor:
        editor.type("field-name", "begin")
        editor.until("#stages", "begin")
        editor.page.reload()
        editor.until("#standing", "not saved when this page was opened anew. Undo brings them back.")
        editor.shows("field-name", "first")
        editor.press("undo")
        editor.shows("field-name", "begin")
        editor.eventually("!document.querySelector('#standing').textContent.includes('anew')")


def test_a_change_can_be_undone_also_that_of_starting_over(recipe: Path, browser: Any) -> None:
    with serving(tuning_page(tuning_of(recipe))) as url, Editor(browser, url) as editor:
        assert editor.page.locator("#undo").is_disabled()
        editor.type("field-knob_2", "125")
        editor.open("Rules")
        editor.type("field-replay_floor", "0.25")
        both = TEXT.replace("at_least: 30", "at_least: 125").replace("floor: 0.1", "floor: 0.25")
        editor.text_is(both)
        editor.press("reset")
        editor.shows("text", TEXT)
        editor.press("undo")
        editor.shows("text", both)
        editor.press("undo")
        editor.shows("text", TEXT.replace("at_least: 30", "at_least: 125"))
        editor.press("undo")
        editor.shows("text", TEXT)
        editor.eventually("document.querySelector('#undo').disabled")


def test_another_mix_changes_the_timeline_the_text_and_the_table(editor: Editor) -> None:
    before = editor.drawn("batch")[1]["y"]
    editor.fill("field-share_0", "0.75")
    editor.until("#wrong-mix", "mix: got shares that sum to 0.75")
    editor.fill("field-share_1", "0.25")
    editor.eventually(
        "document.querySelector('#chart-batch .cv-plot')._fullData[1].y[0] > 0.2 &&"
        " document.querySelector('#chart-batch .cv-plot')._fullData[1].y[0] < 0.3"
    )
    assert before[0] == 0
    assert len(editor.drawn("rates")) == 4, "the recipe as it was opened stays behind it"
    assert "hard 25%" in editor.page.locator("#stages tbody tr").first.inner_text()
    editor.text_is(TEXT.replace("mix: {easy: 1.0}", "mix: {easy: 0.75, hard: 0.25}"))


def test_a_value_that_is_wrong_is_said_at_its_field_at_once_and_the_pictures_say_so(editor: Editor) -> None:
    editor.fill("field-knob_2", "20")
    editor.until("#story", "stage/steps at_least 20 (20)")
    editor.open("Rules")
    editor.fill("field-rollback_threshold", "0.5")
    editor.until("#wrong-rollback", "got 0.5, expected a number <= 0")
    editor.fill("field-advance_check_every", "0")
    editor.until("#wrong-advance", "got 0, expected a whole number >= 1")
    editor.until("#standing", "2 problems")
    editor.until("#standing", "They stay at the last one that was valid.")
    editor.open("Save")
    editor.press("save")
    editor.until("#saved", "2 problems: mend them first, nothing was written")
    editor.open("Rules")
    editor.fill("field-rollback_threshold", "-0.2")
    editor.fill("field-advance_check_every", "5")
    editor.until("#standing", "✓ valid:")
    editor.eventually("document.querySelector('#wrong-rollback .cv-note') === null")


def test_text_and_fields_follow_each_other(editor: Editor) -> None:
    editor.open("Text")
    editor.fill("text", TEXT.replace("above: 0.99", "above: 0.5").replace("name: first ", "name: begin "))
    editor.until("#story", "begin")
    editor.open("Stages")
    editor.shows("field-knob_1", "0.5")
    editor.shows("field-name", "begin")
    editor.open("Text")
    editor.fill("text", TEXT.replace("stages:", "stages: ["))
    editor.until("#wrong-text", "not valid YAML")
    editor.open("Stages")
    editor.fill("field-knob_1", "0.7")
    editor.until("#wrong-exit", "mend the text first")
    editor.open("Text")
    editor.press("reset")
    editor.shows("text", TEXT)
    editor.until("#standing", "✓ valid:")
    editor.open("Stages")
    editor.shows("field-knob_1", "0.99")


def test_stages_are_chosen_copied_moved_and_removed(editor: Editor) -> None:
    disabled = "names => names.map(name => document.getElementById(name).disabled)"
    editor.eventually("document.querySelector('#earlier').disabled")
    editor.choose_stage("2. second")
    editor.shows("field-name", "second")
    editor.shows("field-knob_0", "25")
    assert editor.page.evaluate(disabled, ["earlier", "later", "copy", "remove"]) == [False] * 4
    assert not editor.page.locator("#field-knob_2").is_visible()
    editor.press("copy")
    editor.eventually("document.querySelectorAll('#stages tbody tr').length === 4")
    editor.shows("field-name", "second_2")
    editor.shows("stage", "3. second_2")
    editor.press("earlier")
    editor.until("#stages tbody tr:nth-child(2)", "▶ second_2")
    editor.press("remove")
    editor.eventually("document.querySelectorAll('#stages tbody tr').length === 3")
    editor.text_is(TEXT)
    editor.tab("Stages")
    for _ in range(2):
        editor.press("remove")
    editor.eventually("document.querySelector('#remove').disabled")
    assert editor.page.locator("#stages tbody tr").count() == 1


def test_another_policy_and_another_run_are_played(editor: Editor) -> None:
    editor.open("Policy")
    editor.choose("#field-policy", "gaussian")
    editor.until("#wrong-policy", "curriculum.policy.steps: is missing")
    assert editor.page.locator("#field-parameter_0 label").inner_text().strip() == "steps"
    editor.fill("field-parameter_0", "40")
    editor.until("#standing", "✓ valid:")
    editor.open("Simulation")
    editor.fill("run-steps", "20")
    editor.eventually("document.querySelector('#chart-batch .cv-plot')._fullData[0].x.length === 20")


def test_a_run_that_is_refused_stays_refused_until_it_is_mended(editor: Editor) -> None:
    editor.open("Simulation")
    editor.fill("run-seed", "-3")
    editor.until("#wrong-run", "seed: got -3, expected a whole number from 0")
    editor.fill("run-batch", "512")
    editor.fill("run-steps", "5000")
    editor.until("#standing", "They stay at the last one that was valid.")
    editor.until("#wrong-run", "seed: got -3")
    editor.fill("run-seed", "3")
    editor.until("#wrong-run", "steps x batch x responses: got 20,480,000")
    editor.fill("run-batch", "16")
    editor.fill("run-steps", "40")
    editor.until("#standing", "✓ valid: 40 steps")
    editor.eventually("!document.querySelector('#wrong-run').textContent.trim()")


def test_a_number_beyond_all_bounds_is_a_number(editor: Editor) -> None:
    huge = "9" * 25
    editor.open("Text")
    editor.fill("text", TEXT.replace("at_least: 30", f"at_least: {huge}"))
    editor.until("#stages", "stage/steps is at least 1e+25")
    editor.until("#standing", "✓ valid: 60 steps, 0 advances")
    editor.open("Stages")
    editor.shows("field-knob_2", huge)


def test_what_is_saved_is_a_recipe_and_nothing_is_overwritten_unasked(
    editor: Editor, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    editor.fill("field-knob_2", "20")
    editor.until("#story", "stage/steps at_least 20 (20)")
    editor.open("Save")
    for name, words in (("../../out.yaml", "without a folder"), ("recipe.yaml", "is there already")):
        editor.fill("file", name)
        editor.press("save")
        editor.until("#saved", words)
    editor.fill("file", "better.yaml")
    editor.press("save")
    editor.until("#saved", "written: ")
    saved = recipe.parent / "better.yaml"
    assert saved.read_text() == TEXT.replace("at_least: 30", "at_least: 20")
    assert cli.main(["check", str(saved)]) == 0
    assert "stage/steps is at least 20" in capsys.readouterr().out
    assert recipe.read_text() == TEXT
    assert sorted(path.name for path in recipe.parent.iterdir()) == ["better.yaml", "log", "recipe.yaml"]
    editor.press("save")
    editor.until("#saved", "is there already")
    editor.page.locator("#overwrite input").check()
    editor.press("save")
    editor.until("#saved", "written: ")
    saved.write_text("somebody else's")
    editor.press("save")
    editor.until("#saved", "has been changed by somebody else")
    assert saved.read_text() == "somebody else's"
    saved.unlink()


def test_hostile_names_stay_text(browser: Any, tmp_path: Path) -> None:
    text = (
        TEXT.replace("name: second", f'name: "{HOSTILE}"')
        .replace("easy:", '"<b>easy</b>":')
        .replace("hard:", '"hard":')
    )
    text = text.replace("# the end", f'  alerts: [{{name: "{HOSTILE}", metric: stage/steps, at_least: 3}}]')
    with (
        serving(tuning_page(tuning_of(write_recipe(tmp_path, text)))) as url,
        Editor(browser, url) as editor,
    ):
        editor.until("#story", HOSTILE)
        editor.until("#stages", HOSTILE)
        editor.until("#summary-batch", HOSTILE)
        assert editor.drawn("batch")[0]["name"] == "&lt;b&gt;easy&lt;/b&gt;"
        assert editor.page.locator("#field-share_0 label").inner_text().strip() == "<b>easy</b>"
        editor.choose_stage(f"2. {HOSTILE}")
        editor.shows("field-name", HOSTILE)
        editor.fill("field-name", "")
        editor.until("#wrong-name", "name: got nothing, expected a value")
        editor.fill("field-exit", HOSTILE)
        editor.until("#standing", "problem")
        for tab in TABS:
            editor.open(tab)
        assert editor.page.evaluate("window.stolen") is None
        editor.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_readable_and_controls_have_names(scheme: str, address: str, browser: Any) -> None:
    with Editor(browser, address, color_scheme=scheme) as editor:
        for tab in TABS:
            editor.open(tab)
            assert editor.page.evaluate(FAINT) == [], tab
            assert editor.page.evaluate(NAMELESS) == [], tab
        editor.open("Stages")
        editor.fill("field-share_0", "2")
        editor.until("#wrong-mix", "got 2")
        assert editor.page.evaluate(FAINT) == []
        editor.check()


def test_it_is_used_with_the_keyboard_alone(editor: Editor) -> None:
    editor.page.locator("#field-knob_2 :is(input, textarea)").first.focus()
    editor.page.keyboard.press("Control+a")
    editor.page.keyboard.type("10")
    editor.until("#story", "stage/steps at_least 10 (10)")
    editor.page.keyboard.press("Tab")
    assert editor.page.evaluate("document.activeElement.closest('#field-knob_2')") is None
    editor.page.locator("#tab-rules-button").focus()
    editor.page.keyboard.press("Enter")
    editor.page.locator("#field-rollback input").focus()
    editor.page.keyboard.press("Space")
    editor.eventually("document.querySelector('#field-rollback_threshold :is(input, textarea)').disabled")
    editor.page.locator("#tab-stages-button").focus()
    editor.page.keyboard.press("Enter")
    editor.page.locator("#stage input").focus()
    editor.page.keyboard.press("ArrowDown")
    editor.page.keyboard.press("ArrowDown")
    editor.page.keyboard.press("Enter")
    editor.eventually("document.querySelector('#field-name :is(input, textarea)').value !== 'first'")


@pytest.mark.skipif("SCREENSHOTS" not in os.environ, reason="SCREENSHOTS is not set: the pictures of the docs stay")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 800])
def test_pictures_of_the_page(
    scheme: str, width: int, browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SCREENSHOTS=docs the picture of the guide, with SCREENSHOTS=folder all of them, there."""
    given = os.environ["SCREENSHOTS"]
    if given == "docs" and (scheme, width) != ("light", 1440):
        pytest.skip("the guide shows the light page at its usual width")
    folder = Path(__file__).parents[2] / "docs" / "images" if given == "docs" else Path(given).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    example = (Path(__file__).parents[2] / "examples" / "three_stages.yaml").read_text()
    monkeypatch.chdir(tmp_path)  # what the picture shows is no path of the machine that made it
    Path("recipe.yaml").write_text(example)
    tuning = tuning_of(Path("recipe.yaml"), "--steps", "200")
    with (
        serving(tuning_page(tuning)) as url,
        Editor(browser, url, color_scheme=scheme, viewport={"width": width, "height": 1000}) as editor,
    ):
        editor.choose_stage("2. learn_coherence")
        editor.shows("field-share_0", "0.4")
        editor.fill("field-share_0", "0.8")
        editor.fill("field-share_1", "0.2")
        editor.until("#stages", "medium 20%")
        editor.until("#standing", "✓ valid: 200 steps, 4 advances")
        for tab in TABS if given != "docs" else TABS[:1]:
            editor.open(tab)
            editor.drawn("rates")
            editor.page.mouse.move(0, 0)
            editor.page.evaluate("scrollTo(0, 0)")
            name = "tune" if given == "docs" else f"tune_{tab.lower()}_{scheme}_{width}"
            editor.page.screenshot(path=folder / f"{name}.png")


def test_a_narrow_window_shows_all_of_it(address: str, browser: Any) -> None:
    with Editor(browser, address, viewport={"width": 800, "height": 900}) as editor:
        for tab in TABS:
            editor.open(tab)
            assert editor.page.evaluate("document.documentElement.scrollWidth") <= 800, tab
