import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.curriculum.feedback import summarise
from curriculum_verl.errors import InputError

SCORES = st.floats(-10, 10) | st.sampled_from([0.0, 1.0, 0.5, 0.1, math.nan, math.inf, -math.inf])


def test_a_batch_by_hand():
    rewards = summarise([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5], [0.2, 0.6]], pass_threshold=0.5)
    assert rewards.responses.tolist() == [4, 2, 2]
    assert rewards.passes.tolist() == [1, 2, 1]
    assert rewards.mean == pytest.approx([0.25, 0.5, 0.4])
    # mean |deviation| / std: (0.75 + 3 * 0.25) / 4 over sqrt(0.1875); nothing; 0.2 / 0.2
    assert rewards.advantage == pytest.approx([0.375 / math.sqrt(0.1875), 0.0, 1.0])
    assert rewards.informative.tolist() == [True, False, True]
    assert rewards.invalid == 0
    assert len(rewards) == 3


@given(st.lists(st.lists(SCORES, max_size=6), min_size=1, max_size=8), st.floats(-1, 1))
def test_against_plain_python(groups, threshold):
    rewards = summarise(groups, threshold)
    assert rewards.invalid == sum(not math.isfinite(score) for group in groups for score in group)
    for number, group in enumerate(groups):
        valid = [score for score in group if math.isfinite(score)]
        assert rewards.responses[number] == len(valid)
        assert rewards.passes[number] == sum(score >= threshold for score in valid)
        if not valid:
            assert (rewards.mean[number], rewards.advantage[number], rewards.informative[number]) == (0, 0, False)
            continue
        mean = math.fsum(valid) / len(valid)
        std = math.sqrt(math.fsum((score - mean) ** 2 for score in valid) / len(valid))
        assert rewards.mean[number] == pytest.approx(mean, abs=1e-12)
        if len(set(valid)) == 1:
            assert not rewards.informative[number]
        if std > 1e-6:
            assert rewards.informative[number]
            advantage = math.fsum(abs(score - mean) for score in valid) / len(valid) / std
            assert rewards.advantage[number] == pytest.approx(advantage)


def test_an_array_is_the_same_as_its_rows():
    scores = np.random.default_rng(0).random((5, 4))
    scores[1, 2] = np.nan
    from_array, from_rows = summarise(scores, 0.5), summarise(scores.tolist(), 0.5)
    for name in ("responses", "passes", "mean", "advantage", "informative", "invalid"):
        assert np.array_equal(getattr(from_array, name), getattr(from_rows, name))


def test_equal_scores_carry_no_signal_however_they_round():
    rewards = summarise([[0.1] * 3, [0.7] * 7, [1e6 / 3] * 11, [-0.1] * 6], 0.5)
    assert not rewards.informative.any()
    assert rewards.advantage.tolist() == [0.0] * 4


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros((2, 2, 2)), [0.0, 1.0]])
def test_scores_of_another_shape_are_refused(scores):
    with pytest.raises(InputError, match=r"scores: .*expected"):
        summarise(scores, 0.5)


@pytest.mark.parametrize("scores", [[], np.zeros((0, 4))])
def test_an_empty_batch_is_a_batch(scores):
    rewards = summarise(scores, 0.5)
    assert len(rewards) == 0
    assert rewards.invalid == 0


def test_select_keeps_the_groups_asked_for():
    rewards = summarise([[1.0], [0.0, math.nan], [0.5, 0.0]], 0.5)
    kept = rewards.select(np.array([True, False, True]))
    assert kept.responses.tolist() == [1, 2]
    assert kept.passes.tolist() == [1, 1]
    assert kept.mean.tolist() == [1.0, 0.25]
    assert kept.informative.tolist() == [False, True]
    assert kept.invalid == rewards.invalid == 1


@pytest.mark.parametrize("passes", range(11))
def test_groups_that_pass_equally_often_are_one_trial_each_however_their_rate_rounds(passes):
    scores = [[1.0] * passes + [0.0] * (10 - passes)] * 3
    assert summarise(scores, 0.5).effective_trials == 3
