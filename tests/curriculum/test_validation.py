import math

import numpy as np
import pytest

from curriculum_verl.curriculum.tracker import Rate, Tracker
from curriculum_verl.curriculum.validation import Validation

TAUGHT = ("easy", "hard")
MIX = {"easy": 0.25, "hard": 0.75, "unused": 0.0}


def make():
    return Validation(Tracker(), forgetting_alarm=-0.1)


def test_score_on_a_mix_by_hand():
    validation = make()
    validation.observe(1, {"easy": 0.8, "hard": 0.4}, MIX, TAUGHT)
    assert validation.on(MIX) == pytest.approx(0.5)
    assert validation.on({"hard": 1.0}) == 0.4
    assert validation.on({"unused": 1.0}) is None
    assert validation.missing({"unused": 0.5, "easy": 0.5}) == ["unused"]


def test_scores_are_tracked_with_their_trials():
    validation = make()
    validation.observe(3, {"easy": Rate(0.8, 40), "hard": Rate(0.4, 60)}, {"easy": 0.4, "hard": 0.6}, TAUGHT)
    tracker = validation._tracker
    assert tracker.window("val/easy/score", 1).trials == 40
    whole = tracker.window("val/score", 1)
    # 1 / (0.16 / 40 + 0.36 / 60): a mix in the proportion of the trials is worth them all
    assert (whole.mean, whole.trials, whole.step) == (pytest.approx(0.56), 100, 3)


def test_uneven_trials_are_worth_less_than_their_sum():
    validation = make()
    validation.observe(1, {"easy": Rate(0.5, 10), "hard": Rate(0.5, 1000)}, {"easy": 0.5, "hard": 0.5}, TAUGHT)
    assert validation._tracker.window("val/score", 1).trials == math.floor(1 / (0.25 / 10 + 0.25 / 1000))


def test_one_plain_number_makes_the_whole_a_plain_number():
    validation = make()
    validation.observe(1, {"easy": Rate(0.5, 10), "hard": 0.5}, MIX, TAUGHT)
    assert validation._tracker.window("val/score", 1).trials == 0


def test_reports_of_one_step_are_one_validation():
    validation = make()
    validation.observe(5, {"easy": 0.8}, MIX, TAUGHT)
    assert validation.on(MIX) is None
    validation.observe(5, {"hard": 0.4}, MIX, TAUGHT)
    assert validation.on(MIX) == pytest.approx(0.5)
    assert validation._tracker.history("val/score") == ([5], [pytest.approx(0.5)])


def test_a_new_step_forgets_the_scores_of_the_old_one():
    validation = make()
    validation.observe(5, {"easy": 0.8, "hard": 0.4}, MIX, TAUGHT)
    validation.observe(6, {"easy": 0.9}, MIX, TAUGHT)
    assert validation.scores == {"easy": 0.9}
    assert validation.on(MIX) is None


def test_scores_that_are_not_finite_are_counted_and_left_out():
    validation = make()
    validation.observe(1, {"easy": math.nan, "hard": 0.4}, MIX, TAUGHT)
    assert validation.scores == {"hard": 0.4}
    assert validation._tracker.invalid == {"val/easy/score": 1}


def test_forgetting_by_hand_and_its_alarm_comes_once():
    validation = make()
    scores = [0.5, 0.8, 0.8, 0.4, 0.4, 0.4]
    alarms = [validation.observe(step, {"easy": score}, MIX, TAUGHT) for step, score in enumerate(scores)]
    level, best = 0.5, 0.5
    for score in scores[1:]:
        level += 0.2 * (score - level)
        best = max(best, level)
    assert alarms == [[], [], [], [], [], ["easy"]]
    assert validation.forgetting() == {"easy": pytest.approx(level - best)}
    assert validation.metrics() == {"forgetting/easy": pytest.approx(level - best), "forgetting_alarms": 1.0}
    assert [validation.observe(step, {"easy": 0.9}, MIX, TAUGHT) for step in (10, 11, 12)] == [[], [], []]
    assert validation.observe(13, {"easy": 0.0}, MIX, TAUGHT) == ["easy"]


def test_noise_raises_no_alarm():
    random = np.random.default_rng(0)
    validation = make()
    scores = random.binomial(100, 0.5, 300) / 100
    alarms = [validation.observe(step, {"easy": Rate(score, 100)}, MIX, TAUGHT) for step, score in enumerate(scores)]
    assert sum(map(len, alarms)) <= 3


def test_what_was_never_taught_cannot_be_forgotten():
    validation = make()
    assert [validation.observe(step, {"hard": 1.0 - step / 4}, MIX, ["easy"]) for step in range(4)] == [[]] * 4
    assert validation.forgetting() == {}


def test_an_alarm_is_not_new_because_its_bucket_is_reported_second():
    validation = make()
    validation.observe(1, {"easy": 0.9, "hard": 0.5}, MIX, TAUGHT)
    assert validation.observe(2, {"easy": 0.1, "hard": 0.5}, MIX, TAUGHT) == ["easy"]
    reports = [validation.observe(3, {"hard": 0.5}, MIX, TAUGHT), validation.observe(3, {"easy": 0.1}, MIX, TAUGHT)]
    assert reports == [[], []]


def test_state_round_trip(through_json):
    validation = make()
    validation.observe(1, {"easy": Rate(0.9, 8), "hard": 0.5}, MIX, TAUGHT)
    validation.observe(2, {"easy": Rate(0.5, 8)}, MIX, TAUGHT)
    saved = through_json(validation.state_dict())
    other = Validation(validation._tracker, forgetting_alarm=-0.1)
    other.load_state_dict(saved)
    assert other.state_dict() == validation.state_dict()
    assert other.observe(2, {"hard": Rate(0.6, 8)}, MIX, TAUGHT) == []
    assert other.on(MIX) == pytest.approx(0.25 * 0.5 + 0.75 * 0.6)
    assert saved["scores"] == {"easy": 0.5}
