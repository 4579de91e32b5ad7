"""The page in a real browser: what is changed shows at once, what is wrong is said, and what is saved is a recipe."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tuning.recipes import TEXT, write_recipe, write_rollouts
from tuning.tuned import Editor, tuning_of

pytest.importorskip("gradio")

from monitor.test_access import FAINT, NAMELESS

from curriculum_verl import cli
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
    editor.eventually("document.querySelector('#field-share_1 input').value === ''")
    assert [trace["name"] for trace in editor.drawn("batch")][:2] == ["easy", "hard"]
    assert {len(trace["x"]) for trace in editor.drawn("batch")} == {60}
    editor.until("#story", "advance: stage/steps at_least 30 (30)")
    rows = editor.page.locator("#stages tbody tr").all_inner_texts()
    assert len(rows) == 3
    assert "the mean of train/success_rate over the stage's last 5 values is above 0.99 or" in rows[0]


def test_another_mix_changes_the_timeline_the_text_and_the_table(editor: Editor) -> None:
    before = editor.drawn("batch")[1]["y"]
    editor.fill("field-share_0", "0.75")
    editor.until("#wrong-mix", "mix: got shares that sum to 0.75")
    editor.fill("field-share_1", "0.25")
    editor.until("#standing", "valid")
    editor.eventually(
        "document.querySelector('#chart-batch .cv-plot')._fullData[1].y[0] > 0.2 &&"
        " document.querySelector('#chart-batch .cv-plot')._fullData[1].y[0] < 0.3"
    )
    assert before[0] == 0
    assert len(editor.drawn("rates")) == 4, "the recipe as it was opened stays behind it"
    assert "hard 25%" in editor.page.locator("#stages tbody tr").first.inner_text()
    editor.open("Text")
    assert editor.value("text") == TEXT.replace("mix: {easy: 1.0}", "mix: {easy: 0.75, hard: 0.25}")


def test_a_value_that_is_wrong_is_said_at_its_field_at_once_and_the_pictures_say_so(editor: Editor) -> None:
    editor.fill("field-knob_2", "20")
    editor.until("#story", "stage/steps at_least 20 (20)")
    editor.open("Rules")
    editor.fill("field-rollback_threshold", "0.5")
    editor.until("#wrong-rollback", "got 0.5, expected a number <= 0")
    editor.fill("field-advance_check_every", "0")
    editor.until("#wrong-advance", "got 0, expected a whole number >= 1")
    editor.until("#standing", "2 problems")
    editor.until("#title-batch", "(before the mistake)")
    editor.until("#standing", "stay at the last recipe that was valid")
    editor.open("Save")
    editor.page.locator("#save").click()
    editor.until("#saved", "mend them first, nothing was written")
    editor.open("Rules")
    editor.fill("field-rollback_threshold", "-0.2")
    editor.fill("field-advance_check_every", "")
    editor.until("#standing", "valid")
    editor.eventually("document.querySelector('#wrong-rollback .cv-note') === null")


def test_text_and_fields_follow_each_other(editor: Editor) -> None:
    editor.open("Text")
    editor.fill("text", TEXT.replace("above: 0.99", "above: 0.5").replace("name: first ", "name: begin "))
    editor.until("#story", "begin")
    editor.open("Stages")
    assert editor.value("field-knob_1") == "0.5"
    assert editor.value("field-name") == "begin"
    editor.open("Text")
    editor.fill("text", TEXT.replace("stages:", "stages: ["))
    editor.until("#wrong-text", "not valid YAML")
    editor.open("Stages")
    editor.fill("field-knob_1", "0.7")
    editor.until("#wrong-text", "Mend the text first")
    editor.open("Text")
    editor.page.locator("#reset").click()
    editor.until("#standing", "valid")
    editor.eventually("text => document.querySelector('#text textarea').value === text", TEXT)
    editor.open("Stages")
    editor.eventually("document.querySelector('#field-knob_1 input').value === '0.99'")


def test_stages_are_chosen_copied_moved_and_removed(editor: Editor) -> None:
    editor.page.get_by_label("2. second").check()
    editor.eventually("document.querySelector('#field-name textarea, #field-name input').value === 'second'")
    editor.eventually("document.querySelector('#field-knob_0 input').value === '25'")
    assert not editor.page.locator("#field-knob_2").is_visible()
    editor.page.locator("#copy").click()
    editor.eventually("document.querySelectorAll('#stages tbody tr').length === 4")
    assert editor.value("field-name") == "second_2"
    editor.page.locator("#earlier").click()
    editor.until("#stages tbody tr:nth-child(2)", "▶ second_2")
    editor.page.locator("#remove").click()
    editor.eventually("document.querySelectorAll('#stages tbody tr').length === 3")
    editor.open("Text")
    assert editor.value("text") == TEXT


def test_another_policy_and_another_run_are_played(editor: Editor) -> None:
    editor.open("Policy")
    editor.page.locator("#field-policy input").click()
    editor.page.get_by_role("option", name="gaussian").click()
    editor.until("#wrong-policy", "curriculum.policy.steps: is missing")
    assert editor.page.locator("#field-parameter_0 label").inner_text().strip() == "steps"
    editor.fill("field-parameter_0", "40")
    editor.until("#standing", "valid")
    editor.open("Simulation")
    editor.fill("run-steps", "20")
    editor.eventually("document.querySelector('#chart-batch .cv-plot')._fullData[0].x.length === 20")
    editor.fill("run-steps", "9999")
    editor.until("#wrong-run", "steps: got 9999, expected a whole number from 1 to 5000")


def test_what_is_saved_is_a_recipe_and_nothing_is_overwritten_unasked(
    editor: Editor, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    editor.fill("field-knob_2", "20")
    editor.until("#story", "stage/steps at_least 20 (20)")
    editor.open("Save")
    for name, words in (("../../out.yaml", "without a folder"), ("recipe.yaml", "is there already")):
        editor.fill("file", name)
        editor.page.locator("#save").click()
        editor.until("#saved", words)
    editor.fill("file", "better.yaml")
    editor.page.locator("#save").click()
    editor.until("#saved", "written: ")
    saved = recipe.parent / "better.yaml"
    assert saved.read_text() == TEXT.replace("at_least: 30", "at_least: 20")
    assert cli.main(["check", str(saved)]) == 0
    assert "stage/steps is at least 20" in capsys.readouterr().out
    assert recipe.read_text() == TEXT
    assert sorted(path.name for path in recipe.parent.iterdir()) == ["better.yaml", "log", "recipe.yaml"]
    editor.page.locator("#save").click()
    editor.until("#saved", "is there already")
    editor.page.locator("#overwrite input").check()
    editor.page.locator("#save").click()
    editor.until("#saved", "written: ")


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
        editor.page.get_by_label(f"2. {HOSTILE}").check()
        editor.eventually(
            "name => document.querySelector('#field-name textarea, #field-name input').value === name", HOSTILE
        )
        editor.fill("field-name", "")
        editor.until("#wrong-name", "expected a name")
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
    editor.page.locator("#field-knob_2 input").focus()
    editor.page.keyboard.press("Control+a")
    editor.page.keyboard.type("10")
    editor.until("#story", "stage/steps at_least 10 (10)")
    editor.page.keyboard.press("Tab")
    assert editor.page.evaluate("document.activeElement.closest('#field-knob_2')") is None
    editor.page.locator("#tab-rules-button").focus()
    editor.page.keyboard.press("Enter")
    editor.page.locator("#field-rollback input").focus()
    editor.page.keyboard.press("Space")
    editor.eventually("document.querySelector('#field-rollback_threshold input').disabled")


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
        editor.page.get_by_label("2. learn_coherence").check()
        editor.eventually("document.querySelector('#field-share_0 input').value === '0.4'")
        editor.fill("field-share_0", "0.8")
        editor.fill("field-share_1", "0.2")
        editor.until("#stages", "medium 20%")
        editor.until("#standing", "valid: 200 steps, 4 advances")
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
