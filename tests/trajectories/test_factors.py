"""The factors: from 0 to 1 whatever is said, by hand for small trajectories, and never less for more of the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajectories.made_up_trajectories import sample

from curriculum_verl.rewards.settings import Operations
from curriculum_verl.trajectories.factors import FACTORS
from curriculum_verl.trajectories.settings import WEIGHTS, Scoring

STEP = st.builds("Step {} looks at something.".format, st.integers(0, 10**6))
CALL = st.builds("{}(x={})".format, st.sampled_from([*Operations().weights]), st.integers(0, 10**6))
TAKEN_BACK = st.builds("Wait, number {} was wrong.".format, st.integers(0, 10**6))
LINES = st.lists(STEP | CALL | TAKEN_BACK | st.text(max_size=20), max_size=12)
DEFAULTS = Scoring()


def values(lines, scoring=DEFAULTS):
    found = sample("\n".join(lines))
    return {name: factor(found, scoring) for name, factor in FACTORS.items()}


def test_there_is_a_factor_for_every_weight():
    assert [*FACTORS] == [*WEIGHTS]
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)


@given(LINES)
def test_factors_are_shares(lines):
    assert all(0.0 <= value <= 1.0 for value in values(lines).values())


@given(LINES, CALL)
def test_another_call_never_makes_it_simpler(lines, call):
    before, after = values(lines), values([*lines, "", call])
    for name in ("trajectory_complexity", "operation_sophistication"):
        assert after[name] >= before[name] - 1e-12


@given(st.lists(STEP | CALL, max_size=12, unique=True), TAKEN_BACK)
def test_taking_something_back_makes_it_harder(lines, correction):
    assert values([*lines, correction])["error_patterns"] > values(lines)["error_patterns"]


def test_by_hand():
    found = values(["I look.", "TRACK_OBJECT(x=1)", "Wait, no.", "READ_TEXT(y=2)", "Done."])
    assert found == {
        "trajectory_complexity": pytest.approx((5 / 17 + 2 / 5) / 2),
        "operation_sophistication": pytest.approx((3 / 3 + 4 / 10) / 2),
        "reasoning_depth": pytest.approx(3 / 11 * 3 / 5),
        "error_patterns": pytest.approx(1 / 3),
        "task_type": 0.5,
    }


def test_a_thought_is_reasoning_and_no_tool_call():
    thought = 'THINK(thought="I look at it.")'
    assert values([thought])["reasoning_depth"] == pytest.approx(1 / 9)
    assert values([thought, "ZOOM_IN(x=1)"])["reasoning_depth"] == pytest.approx(1 / 9 / 2)


def test_an_unknown_tool_is_work_and_a_broken_call_is_an_error():
    unknown = values(['<tool_call>{"name": "search", "arguments": {}}</tool_call>'])
    broken = values(["<tool_call>ZOOM_IN(x=</tool_call>"])
    assert unknown["error_patterns"] == 0.0
    assert unknown["operation_sophistication"] == pytest.approx((1 / 3 + 1 / 7) / 2)
    assert broken["error_patterns"] == pytest.approx(1 / 3)
    assert broken["operation_sophistication"] == 0.0


def test_repetition_is_an_error_pattern():
    assert values(["ZOOM_IN(x=1)"] * 4)["error_patterns"] == pytest.approx(3 / 4)


def test_the_settings_say_what_a_task_is_worth():
    scoring = Scoring(task_types={"tracking": 0.9}, other_task_types=0.1)
    assert FACTORS["task_type"](sample("a", task_type="tracking"), scoring) == 0.9
    assert FACTORS["task_type"](sample("a", task_type="counting"), scoring) == 0.1
