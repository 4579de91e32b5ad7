import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.difficulty import METRICS, Settings, find_metric
from curriculum_verl.errors import InputError

SCORES = [0.0, 0.25, 0.5, 1.0]
BY_HAND = {
    "mean_reward": 0.4375,
    "max_reward": 1.0,
    "min_reward": 0.0,
    "variance": 0.13671875,
    "success_rate": 0.5,
    "inverse_mean": 0.5625,
    "pass_at_k": 5 / 6,
    "learnability": 0.25,
}


def test_every_metric_is_checked_by_hand():
    assert BY_HAND.keys() == METRICS.keys()


@pytest.mark.parametrize("name", BY_HAND)
def test_value_by_hand(name):
    assert METRICS[name](SCORES, Settings(k=2)) == pytest.approx(BY_HAND[name], abs=1e-15)


@pytest.mark.parametrize(("name", "value"), [("success_rate", 0.25), ("pass_at_k", 0.25), ("learnability", 0.1875)])
def test_pass_threshold_is_a_parameter(name, value):
    assert METRICS[name](SCORES, Settings(pass_threshold=0.75)) == value


def test_a_score_at_the_threshold_passes():
    assert METRICS["success_rate"]([0.5, 0.4999999], Settings(pass_threshold=0.5)) == 0.5


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_is_the_share_of_subsets_with_a_pass(n):
    for scores in itertools.product([0.0, 1.0], repeat=n):
        for k in range(1, n + 1):
            subsets = list(itertools.combinations(scores, k))
            share = sum(any(subset) for subset in subsets) / len(subsets)
            assert METRICS["pass_at_k"](scores, Settings(k=k)) == pytest.approx(share, abs=1e-12)


@given(st.integers(1, 3000), st.data())
def test_pass_at_k_is_a_rate_that_grows_with_k(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    scores = [1.0] * c + [0.0] * (n - c)
    value = METRICS["pass_at_k"](scores, Settings(k=k))
    assert METRICS["success_rate"](scores) - 1e-12 <= value <= 1.0
    assert (value == 1.0) == (n - c < k) or math.isclose(value, 1.0)


@pytest.mark.parametrize("k", [0, 5, -1])
def test_pass_at_k_outside_the_responses_is_refused(k):
    with pytest.raises(InputError, match=rf"pass_at_k: got k={k} with 4 responses, expected 1 <= k <= 4"):
        METRICS["pass_at_k"](SCORES, Settings(k=k))


@pytest.mark.parametrize(
    "name", ["mean_reward", "max_reward", "min_reward", "success_rate", "inverse_mean", "pass_at_k"]
)
def test_never_solved_is_harder_than_always_solved(name):
    metric = METRICS[name]
    assert metric.hardness(metric([0.0] * 4)) > metric.hardness(metric([1.0] * 4))


def test_variance_and_learnability_order_by_disagreement():
    split, agreed = [0.0, 1.0], [1.0, 1.0]
    variance, learnability = METRICS["variance"], METRICS["learnability"]
    assert variance.hardness(variance(split)) > variance.hardness(variance(agreed))
    assert learnability.hardness(learnability(split)) < learnability.hardness(learnability(agreed))


@pytest.mark.parametrize("name", METRICS)
def test_unusable_scores_are_refused(name):
    with pytest.raises(InputError, match=f"{name}: got no scores, expected at least one"):
        METRICS[name]([])
    for bad in (math.nan, math.inf, -math.inf):
        with pytest.raises(InputError, match=f"{name}: got scores .*, expected finite numbers"):
            METRICS[name]([1.0, bad])


def test_unknown_name_lists_the_choices_and_the_nearest():
    with pytest.raises(InputError) as caught:
        find_metric("sucess_rate")
    message = str(caught.value)
    assert "unknown difficulty metric 'sucess_rate'" in message
    assert all(name in message for name in METRICS)
    assert "did you mean 'success_rate'?" in message
    assert "package.module:function" in message


def test_a_users_metric_by_dotted_path(user_module):
    module = user_module("own_metric_good", "def spread(scores, settings): return max(scores) - min(scores)\n")
    (source := __import__(module)).spread.direction = "low_is_easy"
    metric = find_metric(f"{module}:spread")
    assert metric([0.25, 1.0]) == 0.75
    assert metric.hardness(0.75) == 0.75
    source.spread.direction = "high_is_easy"
    assert find_metric(f"{module}:spread").hardness(0.75) == -0.75


@pytest.mark.parametrize("line", ["", "spread.direction = 'up'", "spread.direction = ['high_is_easy']"])
def test_a_users_metric_must_say_which_end_is_easy(user_module, line):
    module = user_module(f"own_metric_bad_{len(line)}", f"def spread(scores, settings): return 0.0\n{line}\n")
    with pytest.raises(InputError, match=r"got direction .*, expected one of high_is_easy, low_is_easy; set it on"):
        find_metric(f"{module}:spread")
