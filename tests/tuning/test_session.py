"""Editing without a page: fields change the text, problems find their fields, nothing foreign is loaded or written."""

from copy import copy
from pathlib import Path
from typing import Any

import pytest
from tuning.recipes import TEXT, write_recipe, write_rollouts
from tuning.tuned import say, tuning_of

pytest.importorskip("gradio")

from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.tuning import session
from curriculum_verl.tuning.block import get
from curriculum_verl.tuning.desk import Desk
from curriculum_verl.tuning.fields import read, shown
from curriculum_verl.tuning.model import Tuning


def test_a_field_changes_the_text_the_timeline_and_nothing_else(desk: Desk) -> None:
    before = desk.playing.play()
    assert desk.looks["knob_2"].label == "stage/steps at_least"
    say(desk, knob_2="10")
    assert desk.editing.text == TEXT.replace("at_least: 30", "at_least: 10")
    desk.playing.shown = before
    now = desk.playing.play()
    assert [t.step for t in before.now.trace.transitions if t.target == "second"] == [30]
    assert [t.step for t in now.now.trace.transitions if t.target == "second"] == [10]
    assert now.opened is before.now, "what it is shown beside is not played again"


@pytest.mark.parametrize(
    ("stage", "name", "value", "expected", "group"),
    [
        (0, "share_0", "2", "curriculum.stages[0] (first).mix.easy: got 2, expected a number >= 0 and <= 1", "mix"),
        (0, "share_0", "0.5", "curriculum.stages[0] (first).mix: got shares that sum to 0.5", "mix"),
        (1, "name", "first", "curriculum.stages[1] (first).name: stands twice", "name"),
        (0, "name", "", "name: got nothing, expected a value", "name"),
        (0, "exit", "", "exit: what ends the stage: got nothing, expected a value", "exit"),
        (0, "exit", "{metric: [", "exit: what ends the stage: not valid YAML", "exit"),
        (0, "knob_0", "", "train/success_rate window: got nothing, expected a number", "exit"),
        (0, "knob_0", "-", "train/success_rate window: got the text '-', expected a number", "exit"),
        (0, "share_0", "1,5", "easy: got the text '1,5', expected a number", "mix"),
        (0, "share_0", "1e999", "easy: got the text '1e999', expected a number", "mix"),
        (0, "rollback_threshold", "", "threshold: got nothing, expected a number", "rollback"),
        (0, "exit", "{metric: x}", "curriculum.stages[0] (first).exit: got no test", "exit"),
        (0, "knob_0", "0.5", "(first).exit.any[0].window: got 0.5, expected a whole number", "exit"),
        (0, "rewards", "{finl: 1}", "(first).rewards.finl: unknown reward component 'finl'", "rewards"),
        (0, "policy", "gaussian", "curriculum.policy.steps: is missing", "policy"),
        (0, "rollback_threshold", "0.5", "curriculum.rollback.threshold: got 0.5, expected a number <= 0", "rollback"),
        (0, "advance_check_every", "0", "curriculum.advance.check_every: got 0", "advance"),
        (0, "replay_floor", "1", "curriculum.replay_floor: got 1, expected a number >= 0 and < 1", "whole"),
        (0, "stop", "{metric: x, above: 1, below: 2}", "curriculum.stop: got above and below", "stop"),
    ],
)
def test_what_is_wrong_stands_with_its_field_in_the_loaders_words(
    stage: int, name: str, value: Any, expected: str, group: str, desk: Desk
) -> None:
    say(desk, stage=stage)
    say(desk, **{name: value})
    assert any(expected in problem for problem in desk.wrong), desk.wrong
    assert any(expected in problem for problem in desk.by_group()[group])
    assert desk.unread or desk.playing.play() is None


def test_what_is_no_value_leaves_the_recipe_and_is_said(desk: Desk) -> None:
    say(desk, exit="{metric: [")
    assert desk.editing.text == TEXT
    say(desk, exit="{metric: stage/steps, at_least: 3}")
    assert (desk.wrong, desk.unread) == ([], {})
    assert get(desk.editing.block, ("stages", 0, "exit")) == {"metric": "stage/steps", "at_least": 3}


def test_a_field_without_a_key_may_be_empty(desk: Desk) -> None:
    say(desk, rollback_cooldown="")
    assert (desk.wrong, desk.editing.text) == ([], TEXT)


NUMBERS = [("1", 1), ("-.5", -0.5), ("1e-3", 0.001), ("12.", 12.0), ("9" * 30, 10**30 - 1)]


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_numbers_are_read_as_they_are_written(text: str, number: float, desk: Desk) -> None:
    found = read(desk.sheets[0].fields["share_0"], f" {text} ")
    assert (found, type(found)) == (number, type(number))


def test_all_problems_of_all_stages_are_told_at_once(desk: Desk) -> None:
    text = (
        TEXT.replace("easy: 0.25", "esy: 0.25")
        .replace("above: 0.99", "above: high")
        .replace("check_every: 5", "chek: 5")
    )
    say(desk, text=text)
    assert [session.stage_of(problem) for problem in desk.problems] == [0, 2, None]


def test_switches_put_a_block_there_and_take_it_away(desk: Desk) -> None:
    assert not desk.looks["probation_evals"].active
    say(desk, probation=True)
    assert "  probation: {}\n" in desk.editing.text
    assert (desk.problems, desk.looks["probation_evals"].active) == ([], True)
    say(desk, probation=False)
    assert desk.editing.text == TEXT
    say(desk, rollback=False)
    assert get(desk.editing.block, ("rollback",)) is None


def test_another_policy_has_other_fields_and_forgets_the_old_parameters(desk: Desk) -> None:
    say(desk, policy="posterior")
    assert (desk.looks["parameter_0"].label, desk.looks["parameter_0"].value) == ("target", "0.5")
    say(desk, parameter_0="0.75")
    assert "policy: {name: posterior, target: 0.75}  # exact" in desk.editing.text
    say(desk, policy="uniform")
    assert "policy: {name: uniform}  # exact" in desk.editing.text


def test_stages_are_copied_moved_and_removed(tuning: Tuning) -> None:
    editing = session.with_stage_after(tuning.opened)
    assert [stage["name"] for stage in editing.stages] == ["first", "first_2", "second", "third"]
    assert editing.stage == 1
    editing = session.with_stage_moved(editing, -1)
    assert [stage["name"] for stage in editing.stages] == ["first_2", "first", "second", "third"]
    first = tuning.opened.order
    assert editing.order[1:] == first, "every stage keeps its number"
    assert session.with_stage_moved(editing, -1) is editing, "there is no earlier one"
    editing = session.without_stage(editing)
    assert (editing.block, editing.order) == (tuning.opened.block, first)
    for _ in range(5):
        editing = session.without_stage(editing)
    assert len(editing.stages) == 1, "one stays"
    assert session.check(editing, tuning.checked, tuning.prompts.buckets, None)[1] == [], "the last stage had no exit"


def test_comments_that_have_gone_stay_said_until_they_are_back(desk: Desk) -> None:
    say(desk, rollback=False)
    assert desk.editing.comments_kept, "there was none"
    say(desk, text=TEXT.replace("threshold: -0.5}", "threshold: -0.5}  # from run 12"))
    say(desk, rollback=False)
    assert not desk.editing.comments_kept
    say(desk, replay_floor="0.2")
    assert not desk.editing.comments_kept, "a change that keeps all of them brings none back"
    desk.undo()
    desk.undo()
    assert desk.editing.comments_kept
    assert "# from run 12" in desk.editing.text


def test_a_policy_by_dotted_path_is_not_loaded(desk: Desk, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('loaded')")
    monkeypatch.syspath_prepend(str(tmp_path))
    say(desk, text=TEXT.replace("{name: mixture}", "{name: 'evil:Policy'}"))
    [problem] = desk.problems
    assert "unknown policy 'evil:Policy'" in problem
    assert desk.looks["policy"].value is None


def test_the_recipes_own_policy_is_offered() -> None:
    tuning = tuning_of(Path(__file__).parents[2] / "examples" / "custom_policy.yaml")
    desk = Desk(tuning)
    assert desk.problems == []
    assert tuning.own_policy in desk.sheets[0].fields["policy"].choices
    assert desk.playing.play().now.trace is not None


def test_rollouts_are_where_the_learner_starts(tmp_path: Path) -> None:
    recipe, log = write_recipe(tmp_path), write_rollouts(tmp_path / "log")
    desk = Desk(tuning_of(recipe, "--rollouts", str(log)))
    trace = desk.playing.play().now.trace
    assert trace.pass_rates[0].tolist() == pytest.approx([0.75, 0.25], abs=1e-3)
    assert trace.pass_rates[-1, 1] > 0.3
    say(desk, run_learns=False)
    shown = desk.playing.play()
    assert shown.now.trace.pass_rates[-1].tolist() == pytest.approx([0.75, 0.25])
    assert shown.opened.trace.pass_rates[-1].tolist() == pytest.approx([0.75, 0.25])


def test_a_text_without_end_is_refused(desk: Desk) -> None:
    say(desk, text="#" * (session.LONGEST + 1))
    assert "expected at most 200,000" in desk.unread["text"][1]
    assert desk.editing.text == TEXT
    with pytest.raises(ConfigError):
        session.opened("a: 1")


def test_every_field_shows_a_value_for_any_block_and_takes_one(desk: Desk) -> None:
    odd = "curriculum: {stages: [3, {name: [1], mix: 4, exit: 5}], rollback: 7, advance: [], policy: {name: {}}}"
    say(desk, text=odd)
    assert desk.problems
    for name, field in desk.sheets[-1].fields.items():
        assert shown(field, desk.editing.block).label
        say(copy(desk), **{name: True if field.kind in ("flag", "switch") else "3"})
    with pytest.raises(InputError, match="is no mapping"):
        session.with_field(desk.editing, desk.sheets[0].fields["share_1"], "1")
