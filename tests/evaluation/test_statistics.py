import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.evaluation.statistics import Bootstrap, Estimate, pass_at_k, share, student


@given(st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_pass(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 60))
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    [got] = pass_at_k(np.array([float(n)]), np.array([float(c)]), k)
    assert got == pytest.approx(1 - math.comb(n - c, k) / math.comb(n, k), abs=1e-12)


def test_pass_at_k_is_exact_where_binomials_overflow() -> None:
    [got] = pass_at_k(np.array([4000.0]), np.array([1.0]), 2000)
    assert got == pytest.approx(0.5, abs=1e-9)


def test_pass_at_k_is_unbiased_where_the_plug_in_estimate_is_not() -> None:
    random, p, n, k = np.random.default_rng(0), 0.2, 6, 4
    passed = random.binomial(n, p, size=40_000).astype(float)
    truth = 1 - (1 - p) ** k
    assert pass_at_k(np.full_like(passed, n), passed, k).mean() == pytest.approx(truth, abs=0.006)
    assert (1 - (1 - passed / n) ** k).mean() < truth - 0.04


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (5, 2.5706), (30, 2.0423), (1000, 1.9623)]
)
def test_students_quantiles_are_those_of_the_tables(freedom: int, expected: float) -> None:
    assert student(0.95, freedom) == pytest.approx(expected, rel=2e-3)


def made_up(random: np.random.Generator, prompts: int, mean: float, kinship: float, n: int = 4) -> np.ndarray:
    """Shares of passes: prompts differ in difficulty, so that responses to one prompt resemble each other."""
    total = 1 / kinship - 1
    rates = random.beta(mean * total, (1 - mean) * total, size=prompts)
    return random.binomial(n, rates) / n


@pytest.mark.parametrize("prompts", [12, 40, 150])
@pytest.mark.parametrize("mean", [0.1, 0.5, 0.9])
def test_the_interval_of_a_share_covers_as_often_as_it_says(prompts: int, mean: float) -> None:
    random = np.random.default_rng(prompts)
    intervals = [share(made_up(random, prompts, mean, 0.5)) for _ in range(1500)]
    covered = np.mean([i.low <= mean <= i.high for i in intervals])
    assert 0.925 <= covered <= 0.99
    assert all(0 <= i.low <= i.value <= i.high <= 1 for i in intervals)


def test_counting_every_response_as_a_trial_of_its_own_would_not_cover() -> None:
    random, n = np.random.default_rng(1), 8
    covered = []
    for _ in range(600):
        rate = made_up(random, 40, 0.5, 0.6, n).mean()
        covered.append(abs(rate - 0.5) <= 1.96 * math.sqrt(rate * (1 - rate) / (40 * n)))
    assert np.mean(covered) < 0.75
    random = np.random.default_rng(1)
    assert np.mean([(i := share(made_up(random, 40, 0.5, 0.6, n))).low <= 0.5 <= i.high for _ in range(600)]) > 0.925


@pytest.mark.parametrize("prompts", [12, 40, 150])
def test_the_bootstrap_of_a_mean_and_of_a_difference_covers_as_often_as_it_says(prompts: int) -> None:
    random = np.random.default_rng(prompts)
    means, differences = [], []
    for number in range(500):
        bootstrap = Bootstrap(prompts, number, draws=800)
        means.append(bootstrap.mean(random.beta(1, 3, prompts)))
        hard = random.uniform(0, 0.6, prompts)  # the same prompts for both models: one gains 0.2 on each of them
        pair = [random.binomial(4, p) / 4 for p in (hard, hard + 0.2)]
        differences.append(bootstrap.difference(pair[1] - pair[0]))
    assert 0.92 <= np.mean([i.low <= 0.25 <= i.high for i in means]) <= 0.99
    assert 0.915 <= np.mean([i.low <= 0.2 <= i.high for i in differences]) <= 0.99


def test_a_pair_on_the_same_prompts_is_known_better_than_two_samples() -> None:
    random = np.random.default_rng(0)
    hard = (random.random(60) < 0.5).astype(float)  # each prompt always or never solved
    after = hard.copy()
    after[:6] = 1.0
    paired = Bootstrap(60, 0).difference(after - hard)
    width = math.hypot(*(share(v).high - share(v).low for v in (hard, after)))
    assert paired.high - paired.low < 0.6 * width


def test_prompts_that_all_agree_do_not_make_certain() -> None:
    nothing = share(np.zeros(10))
    assert (nothing.value, nothing.low) == (0, 0)
    assert 0.2 < nothing.high < 0.4
    assert share(np.ones(1)).low < 0.25
    same = Bootstrap(10, 0).difference(np.zeros(10))
    assert -0.35 < same.low < -0.25
    assert same.sign == 0
    learned = Bootstrap(10, 0).difference(np.ones(10))
    assert (learned.value, learned.high, learned.sign) == (1, 1, 1)
    assert Bootstrap(10, 0).mean(np.full(10, 7.0)) == Estimate(7.0)


def test_a_sign_is_told_only_when_all_of_the_interval_has_it() -> None:
    assert [Estimate(0.1, low, high).sign for low, high in ((0.01, 0.2), (-0.01, 0.2), (-0.3, -0.1))] == [1, 0, -1]
    assert Estimate(1.0).sign == 0


def test_the_draws_of_many_prompts_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(50)
    whole = Bootstrap(50, 3).mean(values)
    monkeypatch.setattr("curriculum_verl.evaluation.statistics.AT_ONCE", 700)
    assert Bootstrap(50, 3).mean(values) == whole
