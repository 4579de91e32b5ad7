"""Alerts: when they are raised, when again, what they see across stages, and that a resumed run raises the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_runs import make, play

from curriculum_verl.curriculum import Alert, Curriculum, PromptIndex
from curriculum_verl.curriculum.alerts import OVERDUE

STAGES = [
    {"name": "a", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 4}},
    {"name": "b", "mix": {"easy": 1.0}},
]
KL = {"name": "kl", "metric": "actor/ppo_kl", "above": 0.2}


def curriculum(*alerts: dict[str, Any], **block: Any) -> Curriculum:
    return Curriculum.from_config({"stages": STAGES, "alerts": list(alerts), **block}, PromptIndex.build({"easy": 8}))


def raised(run: Curriculum, values: list[float], metric: str = "actor/ppo_kl", first: int = 1) -> list[int]:
    """The steps at which an alert is raised when a metric has these values, one a step."""
    steps = range(first, first + len(values))
    told = {step: run.observe(step, metrics={metric: value}).alerts for step, value in zip(steps, values, strict=True)}
    return [step for step, alerts in told.items() if alerts]


def test_an_alert_says_its_name_and_by_which_values_it_was_raised():
    run = curriculum({**KL, "window": 2})
    assert run.observe(1, metrics={"actor/ppo_kl": 0.3}).alerts == (), "the window is not full"
    decision = run.observe(2, metrics={"actor/ppo_kl": 0.5})
    assert decision.alerts == (Alert("kl", "actor/ppo_kl over 2 above 0.2 (0.4)"),)


def test_it_is_raised_once_and_again_only_after_it_was_not_met_in_between():
    assert raised(curriculum(KL), [0.1, 0.3, 0.3, 0.3, 0.1, 0.3, 0.3]) == [2, 6]


def test_with_repeat_it_is_raised_again_while_it_stays_met():
    assert raised(curriculum({**KL, "repeat": 3}), [0.3] * 8 + [0.1, 0.3]) == [1, 4, 7, 10]


def test_a_step_or_validation_that_is_told_twice_raises_nothing_new():
    run = curriculum(KL, {"name": "low", "metric": "val/score", "below": 0.5})
    assert len(run.observe(1, metrics={"actor/ppo_kl": 0.3}).alerts) == 1
    assert run.observe(1, metrics={"actor/ppo_kl": 0.3}).alerts == ()
    assert [alert.name for alert in run.evaluate(1, {"easy": 0.1}).alerts] == ["low"]
    assert run.evaluate(1, {"easy": 0.1}).alerts == ()


def test_a_level_is_that_of_the_last_values_whatever_stage_they_are_of():
    """The window of an exit would be empty at step 5, the first of stage b."""
    run = curriculum({"name": "kl", "metric": "actor/ppo_kl", "above": 0.2, "window": 5})
    assert raised(run, [0.3, 0.3, 0.3, 0.3, 0.3]) == [5]
    assert run.stage.name == "b"


def test_a_stage_that_is_stuck_raises_its_alert_in_every_stage_anew():
    run = curriculum({"name": "stuck", "metric": "stage/steps", "at_least": 3})
    assert raised(run, [0.0] * 10) == [3, 7], "stage b began after step 4"


def test_what_tests_progress_begins_anew_with_every_stage():
    flat = {"name": "flat", "metric": "val/score", "plateau": {"evals": 3, "slope_below": 0.0}}
    run = curriculum(flat, {"name": "worse", "metric": "val/score", "patience": 2})
    scores = [0.7, 0.8, 0.9, 1.0, *(0.1, 0.2, 0.3, 0.3, 0.3, 0.2)]  # stage b is harder: that is no decline
    told: dict[int, list[str]] = {}
    for step, score in enumerate(scores, 1):
        run.observe(step)
        told[step] = [alert.name for alert in run.evaluate(step, {"easy": score}).alerts]
    assert {step: names for step, names in told.items() if names} == {9: ["worse"], 10: ["flat"]}


def test_alerts_change_nothing_but_what_is_told():
    plain, watched = make(), make(alerts=[KL, {"name": "low", "metric": "val/score", "below": 0.6, "repeat": 2}])
    log, watched_log = play(plain, 1, 40, 3), play(watched, 1, 40, 3)
    alerts = [entry[-1].alerts for entry in watched_log if len(entry) == 5]
    alerts += [entry[1].alerts for entry in watched_log if len(entry) == 3]
    assert any(alerts)
    assert plain.transitions == watched.transitions
    assert [entry[1] for entry in log if len(entry) == 5] == [entry[1] for entry in watched_log if len(entry) == 5]


ALERTS = [
    {"name": "kl", "metric": "kl", "window": 3, "above": 0.05, "repeat": 7},
    {"name": "flat", "any": [{"metric": "joint", "plateau": {"evals": 3}}, {"metric": "val/score", "patience": 2}]},
    {"name": "low", "all": [{"metric": "train/success_rate", "below": 0.7}, {"metric": "stage/steps", "at_least": 3}]},
]


@pytest.mark.parametrize("history", range(3))
def test_a_run_that_is_resumed_at_every_step_raises_the_same_alerts(history: int, tmp_path: Path):
    whole = make(alerts=ALERTS)
    expected = play(whole, 1, 40, history)
    resumed: list[Any] = []
    for step in range(1, 41):
        part = make(alerts=ALERTS)
        if step > 1:
            part.load(tmp_path / "state.json")
        play(part, step, step, history, resumed)
        part.save(tmp_path / "state.json")
    assert resumed == expected
    assert part.metrics() == whole.metrics()
    names = {alert.name for entry in expected for alert in (entry[-1] if len(entry) == 5 else entry[1]).alerts}
    assert names == {"kl", "flat", "low"}, "all of them must have been raised, or nothing was proven"


def test_alerts_and_webhook_may_change_from_one_start_to_the_next():
    saved = curriculum(KL, {"name": "other", "metric": "x", "above": 1}, webhook="https://a.example/hook")
    assert raised(saved, [0.3]) == [1]
    state = saved.state_dict()
    assert "a.example" not in repr(state), "an address may be a secret: checkpoints do not hold it"
    same, changed = curriculum(KL), curriculum({**KL, "above": 0.1}, webhook="https://b.example/hook")
    assert same.load_state_dict(state) == changed.load_state_dict(state) == []
    assert raised(same, [0.3], first=2) == [], "it was raised before, and is still met"
    assert raised(changed, [0.3], first=2) == [2], "another alert by the same name"


def test_a_state_from_before_there_were_alerts_is_taken():
    state = curriculum().state_dict()
    del state["alerts"]
    run = curriculum(KL)
    assert run.load_state_dict(state) == []
    assert raised(run, [0.3]) == [1]


def test_an_alert_whose_metric_nobody_reports_is_a_warning_once():
    run = curriculum({**KL, "metric": "actor/ppo_k"}, {"name": "v", "metric": "val/hard/score", "below": 1})
    warnings = {step: run.observe(step, metrics={"actor/ppo_kl": 0.1}).warnings for step in range(1, OVERDUE + 20)}
    [(step, [warning])] = [(step, told) for step, told in warnings.items() if told]
    assert step == OVERDUE
    assert "alert 'kl' tests what nobody has reported in 50 steps" in warning
    assert "did you mean 'actor/ppo_kl'?" in warning
    [warning] = run.evaluate(OVERDUE + 19, {"easy": 0.5}).warnings
    assert "val/hard/score" in warning, "but one of validations only when there was one"


def test_metrics_say_which_alerts_are_met_and_how_often_any_was_raised():
    run = curriculum(KL, {"name": "low", "metric": "actor/ppo_kl", "below": 0.0})
    raised(run, [0.3, 0.1, 0.3])
    metrics = run.metrics()
    assert (metrics["alert/kl"], metrics["alert/low"], metrics["alerts"]) == (1.0, 0.0, 2.0)
    assert not [name for name in curriculum().metrics() if name.startswith("alert")]


def test_what_is_known_late_is_looked_at_with_the_next_step():
    run = curriculum(KL)
    assert run.observe(1).alerts == ()
    run.observe_late({"actor/ppo_kl": np.float32(0.5), "other": 1.0})
    assert [alert.name for alert in run.observe(2).alerts] == ["kl"]
    assert run.tracker.last("other") is None, "what nothing tests is not kept"


@pytest.mark.parametrize("exit_metric", ["late", "derived"])
def test_what_can_end_a_stage_is_never_taken_late(exit_metric: str):
    """A checkpoint of the step may lack it, and a resumed run must make the same transitions."""
    stages = [{**STAGES[0], "exit": {"metric": exit_metric, "above": 1}}, STAGES[1]]
    alert = {"name": "late", "metric": "late", "above": 1}
    run = curriculum(alert, stages=stages, derived={"derived": "late * 2"})
    run.observe(1)
    run.observe_late({"late": 5.0})
    assert run.observe(2).transitions == ()
    assert run.tracker.last("late") is None
    assert run.observe(3, metrics={"late": 5.0}).transitions, "told in time it does"


def test_tested_metrics_are_those_of_exits_stop_alerts_and_of_what_these_are_derived_from():
    run = curriculum(
        {"name": "x", "all": [{"metric": "d2", "above": 1}, {"metric": "q", "below": 0}]},
        derived={"d1": "a + 1", "d2": "d1 * b", "unused": "c + 1"},
        stop={"metric": "val/score", "above": 0.9},
    )
    assert run.tested_metrics == {"stage/steps", "val/score", "d2", "d1", "a", "b", "q"}
