import json

import pytest

from curriculum_verl.curriculum import Curriculum, Decision, PromptIndex, Transition
from curriculum_verl.runs.reporting import Reporter

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


def test_steps_come_with_the_stage_and_finite_numbers(tmp_path, reporter):
    reporter.begin(4)
    reporter.step(5, {"x": 1, "y": float("nan")})
    reporter.validation(5, {"val/easy": 0.5})
    start, step, validation = lines(tmp_path)
    assert (validation["kind"], validation["metrics"]) == ("validation", {"val/easy": 0.5})
    assert (start["stages"], start["buckets"], start["step"]) == (["a", "b"], ["easy"], 4)
    assert start["rollouts"] == "rollouts", "seen from the file, so that both can be moved together"
    assert (step["stage"], step["metrics"]) == ("a", {"x": 1.0})


def test_a_step_says_how_far_the_tests_are_that_end_the_stage(tmp_path, reporter):
    reporter.step(1, {})
    [test] = lines(tmp_path)[0]["exit"]
    assert test == {"metric": "stage/steps", "test": "at_least", "value": None, "threshold": 2.0, "met": False}
