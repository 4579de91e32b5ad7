import json

import pytest
from runs.receiver import receiving

from curriculum_verl.curriculum import Alert, Curriculum, Decision, PromptIndex, Transition
from curriculum_verl.runs.reporting import Reporter
from curriculum_verl.runs.webhook import VARIABLE

BLOCK = {
    "stages": [
        {"name": "a", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 2}},
        {"name": "b", "mix": {"easy": 1.0}},
    ]
}
ROLLBACK = Transition(7, "rollback", "b", "a", "score fell", 0.5, 0.25)


class Tracking:
    """Records what is logged, as verl's Tracking takes it."""

    def __init__(self) -> None:
        self.logger: dict[str, object] = {"console": None, "file": None}
        self.logged: list[tuple] = []

    def log(self, data, step, backend=None) -> None:
        self.logged.append((data, step, tuple(backend)))


@pytest.fixture
def reporter(tmp_path) -> Reporter:
    curriculum = Curriculum.from_config(BLOCK, PromptIndex.build({"easy": 4}))
    return Reporter(tmp_path / "m.jsonl", curriculum, str(tmp_path / "rollouts"))


def lines(tmp_path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]


def test_a_rollback_is_told_with_its_reason_everywhere(tmp_path, reporter, caplog):
    tracking = Tracking()
    events = reporter.decision(Decision(7, transitions=(ROLLBACK,)), tracking)
    assert events == {"curriculum/event/rollback": 1.0}
    assert "step 7: rollback from b to a: score fell" in caplog.text
    [line] = lines(tmp_path)
    assert (line["kind"], line["step"], line["source"], line["before"], line["after"]) == (
        "rollback",
        7,
        "b",
        0.5,
        0.25,
    )
    text, step, backend = tracking.logged[0]
    assert (text, step) == ({"curriculum/reason": "rollback from b to a: score fell"}, 7)
    assert "console" not in backend, "verl's console and TensorBoard take numbers alone"


def test_alarms_warnings_and_the_stop_are_told(tmp_path, reporter):
    events = reporter.decision(Decision(3, alarms=("easy",), warnings=("odd",), stop="enough"), None)
    assert reporter.decision(Decision(3, stop="enough"), None) == {}, "and the stop but once"
    assert events == {"curriculum/event/forgetting": 1.0}
    assert [(line["kind"], line["step"]) for line in lines(tmp_path)] == [("alarm", 3), ("warning", 3), ("stop", 3)]


def test_an_alert_is_told_with_its_stage_and_its_values(tmp_path, reporter, caplog):
    tracking = Tracking()
    alert = Alert("kl\x1b[2J", "actor/ppo_kl above 0.2 (0.31)")
    events = reporter.decision(Decision(9, alerts=(alert,)), tracking)
    assert events == {"curriculum/event/alert/kl\x1b[2J": 1.0}
    told = "step 9: alert kl\\x1b[2J in stage a: actor/ppo_kl above 0.2 (0.31)"
    assert told in caplog.text, "what steers a terminal is shown, not done"
    [line] = lines(tmp_path)
    assert (line["kind"], line["step"], line["name"], line["reason"]) == ("alert", 9, alert.name, alert.reason)
    assert tracking.logged[0][0] == {"curriculum/reason": "alert kl\x1b[2J in stage a: actor/ppo_kl above 0.2 (0.31)"}


def test_everything_that_is_told_is_posted_too(tmp_path, monkeypatch):
    everything = Decision(
        7, transitions=(ROLLBACK,), alarms=("easy",), alerts=(Alert("kl", "high"),), warnings=("odd",), stop="enough"
    )
    with receiving() as receiver:
        monkeypatch.setenv(VARIABLE, receiver.address)
        reporter = Reporter(tmp_path / "m.jsonl", Curriculum.from_config(BLOCK, PromptIndex.build({"easy": 4})))
        reporter.decision(everything, None)
        reporter.step(7, {"x": 1.0})
        reporter.close()
        posted = [receiver.posted.get_nowait() for _ in range(4)]
        assert receiver.posted.empty(), "steps and warnings are none of its business"
    assert [message["kind"] for message in posted] == ["rollback", "alarm", "alert", "stop"]
    assert {message["run"] for message in posted} == {str(tmp_path)}
    assert {(message["step"], message["stage"]) for message in posted} == {(7, "a")}
    assert posted[0]["text"] == "curriculum, step 7: rollback from b to a: score fell"
    assert (posted[0]["before"], posted[0]["after"]) == (0.5, 0.25)
    assert (posted[1]["bucket"], posted[2]["name"], posted[3]["reason"]) == ("easy", "kl", "enough")


def test_the_webhook_may_stand_in_the_recipe(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with receiving() as receiver:
        curriculum = Curriculum.from_config(BLOCK | {"webhook": receiver.address}, PromptIndex.build({"easy": 4}))
        reporter = Reporter(tmp_path / "m.jsonl", curriculum)
        reporter.decision(Decision(1, stop="enough"), None)
        reporter.close()
        assert receiver.next()["kind"] == "stop"


def test_trackers_hear_the_name_of_the_stage_when_it_is_another(tmp_path, reporter):
    tracking = Tracking()
    for step in (1, 2, 3):
        reporter.step(step, {}, tracking)
    assert [data for data, _, _ in tracking.logged] == [{"curriculum/stage_name": "a"}]
    reporter._curriculum.observe(2)
    reporter.step(4, {}, tracking)
    assert tracking.logged[1][:2] == ({"curriculum/stage_name": "b"}, 4)


def test_steps_come_with_the_stage_and_finite_numbers(tmp_path, reporter):
    reporter.begin(4)
    reporter.step(5, {"x": 1, "y": float("nan")})
    reporter.validation(5, {"val/easy": 0.5})
    start, step, validation = lines(tmp_path)
    assert (validation["kind"], validation["metrics"]) == ("validation", {"val/easy": 0.5})
    assert (start["stages"], start["buckets"], start["step"]) == (["a", "b"], ["easy"], 4)
    assert start["rollouts"] == "rollouts", "seen from the file, so that both can be moved together"
    assert start["ends"] == {"a": "stage/steps is at least 2"}
    assert (step["stage"], step["metrics"]) == ("a", {"x": 1.0})


def test_a_run_that_ends_by_itself_says_so(tmp_path, reporter):
    reporter.begin(0)
    reporter.close()
    assert [(line["kind"], line["step"]) for line in lines(tmp_path)] == [("start", 0), ("end", 0)]


def test_a_step_says_how_far_the_tests_are_that_end_the_stage(tmp_path, reporter):
    reporter.step(1, {})
    [test] = lines(tmp_path)[0]["exit"]
    assert test == {"metric": "stage/steps", "test": "at_least", "value": None, "threshold": 2.0, "met": False}
