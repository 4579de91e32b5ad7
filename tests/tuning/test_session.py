"""Editing without a page: fields change the text, problems find their fields, nothing foreign is loaded or written."""

from pathlib import Path
from typing import Any

import pytest
from tuning.recipes import TEXT, write_recipe, write_rollouts
from tuning.tuned import tuning_of

pytest.importorskip("gradio")

from curriculum_verl.commands.check import main as check
from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.tuning import session
from curriculum_verl.tuning.block import get
from curriculum_verl.tuning.fields import shown
from curriculum_verl.tuning.model import Tuning, View, first_view, viewed, with_setting
from curriculum_verl.tuning.saving import Saving
from curriculum_verl.tuning.text import block_of


@pytest.fixture
def tuning(tmp_path: Path) -> Tuning:
    return tuning_of(write_recipe(tmp_path))


@pytest.fixture
def view(tuning: Tuning) -> View:
    return first_view(tuning)


def edited(view: View, tuning: Tuning, name: str, value: Any) -> View:
    editing = session.with_field(view.editing, view.fields(tuning)[name], value)
    return viewed(View(editing, view.setting, opened=view.opened), tuning)


def on_stage(view: View, tuning: Tuning, stage: int) -> View:
    return viewed(View(session.Editing(view.editing.text, view.editing.block, stage), view.setting), tuning)


def test_a_field_changes_the_text_the_timeline_and_nothing_else(view: View, tuning: Tuning) -> None:
    [first] = [t.step for t in view.played.trace.transitions if t.target == "second"]
    now = edited(view, tuning, "knob_2", 10)
    assert view.fields(tuning)["knob_2"].label == "stage/steps at_least"
    assert now.editing.text == TEXT.replace("at_least: 30", "at_least: 10")
    assert [t.step for t in now.played.trace.transitions if t.target == "second"] == [10]
    assert first != 10
    assert now.opened.trace is view.played.trace, "what it is shown beside stays"


@pytest.mark.parametrize(
    ("stage", "name", "value", "expected", "group"),
    [
        (0, "share_0", 2, "curriculum.stages[0] (first).mix.easy: got 2, expected a number >= 0 and <= 1", "mix"),
        (0, "share_0", 0.5, "curriculum.stages[0] (first).mix: got shares that sum to 0.5", "mix"),
        (1, "name", "first", "curriculum.stages[1] (first).name: stands twice", "name"),
        (0, "name", "", "curriculum.stages[0] ().name: got the text '', expected a name", "name"),
        (0, "exit", "", "curriculum.stages[0] (first).exit: is missing", "exit"),
        (0, "exit", "{metric: x}", "curriculum.stages[0] (first).exit: got no test", "exit"),
        (0, "knob_0", 0.5, "(first).exit.any[0].window: got 0.5, expected a whole number", "exit"),
        (0, "rewards", "{finl: 1}", "(first).rewards.finl: unknown reward component 'finl'", "rewards"),
        (0, "policy", "gaussian", "curriculum.policy.steps: is missing", "policy"),
        (0, "rollback_threshold", 0.5, "curriculum.rollback.threshold: got 0.5, expected a number <= 0", "rollback"),
        (0, "advance_check_every", 0, "curriculum.advance.check_every: got 0", "advance"),
        (0, "replay_floor", 1, "curriculum.replay_floor: got 1, expected a number >= 0 and < 1", "whole"),
        (0, "stop", "{metric: x, above: 1, below: 2}", "curriculum.stop: got above and below", "stop"),
    ],
)
def test_what_is_wrong_stands_with_its_field_in_the_loaders_words(
    stage: int, name: str, value: Any, expected: str, group: str, view: View, tuning: Tuning
) -> None:
    now = edited(on_stage(view, tuning, stage), tuning, name, value)
    assert any(expected in problem for problem in now.problems), now.problems
    assert any(expected in problem for problem in now.by_group(tuning)[group])
    assert now.played is None


def test_what_is_no_value_leaves_the_recipe_and_is_said(view: View, tuning: Tuning) -> None:
    now = edited(view, tuning, "exit", "{metric: [")
    assert now.editing.text == TEXT
    assert "not valid YAML" in now.by_group(tuning)["exit"][0]
    assert now.played is None
    again = edited(now, tuning, "exit", "{metric: stage/steps, at_least: 3}")
    assert (again.problems, again.editing.unread) == ((), ())


def test_all_problems_of_all_stages_are_told_at_once(view: View, tuning: Tuning) -> None:
    text = (
        TEXT.replace("easy: 0.25", "esy: 0.25")
        .replace("above: 0.99", "above: high")
        .replace("check_every: 5", "chek: 5")
    )
    now = viewed(View(session.with_text(view.editing, text), view.setting), tuning)
    assert [session.stage_of(problem) for problem in now.problems] == [0, 2, None]
    assert len(now.problems) == 3


def test_switches_put_a_block_there_and_take_it_away(view: View, tuning: Tuning) -> None:
    assert not view.shown(tuning)["probation_evals"].active
    now = edited(view, tuning, "probation", True)
    assert "  probation: {}\n" in now.editing.text
    assert (now.problems, now.shown(tuning)["probation_evals"].active) == ((), True)
    assert edited(now, tuning, "probation", False).editing.text == TEXT
    assert get(edited(view, tuning, "rollback", False).editing.block, ("rollback",)) is None


def test_another_policy_has_other_fields_and_forgets_the_old_parameters(view: View, tuning: Tuning) -> None:
    now = edited(view, tuning, "policy", "posterior")
    labels = {name: look.label for name, look in now.shown(tuning).items() if look.visible}
    assert (labels["parameter_0"], now.shown(tuning)["parameter_0"].value) == ("target", 0.5)
    now = edited(now, tuning, "parameter_0", 0.75)
    assert "policy: {name: posterior, target: 0.75}  # exact" in now.editing.text
    assert "policy: {name: uniform}  # exact" in edited(now, tuning, "policy", "uniform").editing.text


def test_stages_are_copied_moved_and_removed(view: View, tuning: Tuning) -> None:
    editing = session.with_stage_after(view.editing)
    assert [stage["name"] for stage in editing.stages] == ["first", "first_2", "second", "third"]
    assert editing.stage == 1
    editing = session.with_stage_moved(editing, -1)
    assert [stage["name"] for stage in editing.stages] == ["first_2", "first", "second", "third"]
    editing = session.with_stage_moved(editing, -1)
    assert editing.stage == 0, "there is no earlier one"
    editing = session.without_stage(editing)
    assert editing.block == view.editing.block
    for _ in range(5):
        editing = session.without_stage(editing)
    assert len(editing.stages) == 1, "one stays"
    assert viewed(View(editing, view.setting), tuning).problems == (), "the last stage had no exit"


def test_a_policy_by_dotted_path_is_not_loaded(view: View, tuning: Tuning, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('loaded')")
    monkeypatch.syspath_prepend(str(tmp_path))
    text = TEXT.replace("{name: mixture}", "{name: 'evil:Policy'}")
    now = viewed(View(session.with_text(view.editing, text), view.setting), tuning)
    [problem] = now.problems
    assert "unknown policy 'evil:Policy'" in problem
    assert now.shown(tuning)["policy"].value is None


def test_the_recipes_own_policy_is_offered(tmp_path: Path) -> None:
    recipe = Path(__file__).parents[2] / "examples" / "custom_policy.yaml"
    tuning = tuning_of(recipe)
    view = first_view(tuning)
    assert view.problems == ()
    assert tuning.own_policy in view.fields(tuning)["policy"].choices
    assert view.played.trace is not None


def test_rollouts_are_where_the_learner_starts(tmp_path: Path) -> None:
    recipe, log = write_recipe(tmp_path), write_rollouts(tmp_path / "log")
    tuning = tuning_of(recipe, "--rollouts", str(log))
    trace = first_view(tuning).played.trace
    assert trace.pass_rates[0].tolist() == pytest.approx([0.75, 0.25], abs=1e-3)
    assert trace.pass_rates[-1, 1] > 0.3
    view = with_setting(first_view(tuning), tuning, tuning.setting.with_value("learns", False))
    assert view.played.trace.pass_rates[-1].tolist() == pytest.approx([0.75, 0.25])
    assert view.opened.trace.pass_rates[-1].tolist() == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("steps", 0, "steps: got 0, expected a whole number from 1 to 5000"),
        ("steps", 10**9, "expected a whole number from 1 to 5000"),
        ("batch", 1.5, "batch: got 1.5"),
        ("forget", None, "forget: got nothing"),
        ("seed", "x", "seed: got the text 'x'"),
        ("batch", 4096, "expected at most 4,000,000 on a page"),
    ],
)
def test_a_run_that_is_too_long_for_a_page_is_refused(name: str, value: Any, message: str, tuning: Tuning) -> None:
    with pytest.raises(InputError, match=message):
        tuning.setting.with_value("steps", 4000).with_value(name, value)


def test_a_recipe_that_cannot_be_played_says_so(view: View, tuning: Tuning, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise InputError("got no luck")

    monkeypatch.setattr("curriculum_verl.tuning.trial.simulate", fail)
    now = viewed(view, tuning)
    assert (now.played.problem, now.played.trace) == ("got no luck", None)


def test_saved_is_what_is_shown_and_check_takes_it(view: View, tuning: Tuning, tmp_path: Path, capsys: Any) -> None:
    now = edited(view, tuning, "share_0", 1)
    path = tuning.saving.save(tuning.saving.suggestion, now.editing.text, overwrite=False)
    assert path == tmp_path / "recipe.tuned.yaml"
    assert block_of(path.read_text()) == now.editing.block
    assert check([str(path)]) == 0
    assert (tmp_path / "recipe.yaml").read_text() == TEXT


@pytest.mark.parametrize(
    "name",
    [
        "../other.yaml",
        "/tmp/x.yaml",
        "a/b.yaml",
        ".hidden.yaml",
        "x.txt",
        "",
        "x.yaml\n",
        "..",
        "a\\..\\b.yaml\0",
        "link.yaml",
    ],
)
def test_nothing_is_written_elsewhere_or_over_a_link(name: str, tmp_path: Path) -> None:
    target = tmp_path / "outside.yaml"
    target.write_text("precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.yaml").symlink_to(target)
    with pytest.raises(InputError):
        Saving(folder / "recipe.yaml").save(name, "x", overwrite=True)
    assert target.read_text() == "precious"
    assert [path.name for path in folder.iterdir()] == ["link.yaml"]


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    with pytest.raises(InputError, match="is there already"):
        Saving(recipe).save("recipe.yaml", "new", overwrite=False)
    assert recipe.read_text() == TEXT
    assert Saving(recipe).save("recipe.yaml", "new", overwrite=True).read_text() == "new"
    out = tmp_path / "elsewhere" / "mine.yaml"
    out.parent.mkdir()
    with pytest.raises(InputError, match=r"expected mine\.yaml, which --out names"):
        Saving(recipe, out).save("recipe.yaml", "new", overwrite=True)
    assert Saving(recipe, out).save("mine.yaml", "new", overwrite=False) == out


def test_a_text_without_end_is_refused(view: View) -> None:
    editing = session.with_text(view.editing, "#" * (session.LONGEST + 1))
    assert "expected at most 200,000" in editing.unread[0][1]
    with pytest.raises(ConfigError):
        session.opened("a: 1")


def test_every_field_shows_a_value_for_any_block(view: View, tuning: Tuning) -> None:
    odd = "curriculum: {stages: [3, {name: [1], mix: 4, exit: 5}], rollback: 7, advance: [], policy: {name: {}}}"
    now = viewed(View(session.with_text(view.editing, odd), view.setting), tuning)
    assert now.problems
    for field in now.fields(tuning).values():
        assert shown(field, now.editing.block).label
