import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curriculum_verl.curriculum.mixing import apportion, raise_to_floors

# Whole weights make shares that come out even in some batches, where no odd prompt may go.
WEIGHTS = st.lists(st.just(0.0) | st.floats(1e-6, 1.0), min_size=1, max_size=8).filter(any) | st.lists(
    st.integers(0, 4), min_size=2, max_size=6
).filter(any)


def normal(weights):
    return np.array(weights) / sum(weights)


@given(WEIGHTS, st.lists(st.integers(1, 2000), min_size=1, max_size=40))
def test_counts_are_within_one_of_the_shares_in_every_batch_and_add_up(weights, batches):
    shares = normal(weights)
    owed = np.zeros(len(shares))
    given = np.zeros(len(shares), dtype=np.int64)
    for n in batches:
        counts, owed = apportion(shares, n, owed)
        assert counts.sum() == n
        assert np.all(counts >= 0)
        assert np.all(np.abs(counts - n * shares) < 1)
        assert np.all(counts[shares == 0] == 0)
        given += counts
        assert np.allclose(owed, given.sum() * shares - given, atol=1e-6)
        assert np.abs(owed).max() < len(shares)


@settings(max_examples=50)
@given(WEIGHTS, st.integers(1, 5))
def test_small_batches_add_up_to_the_shares(weights, n):
    shares = normal(weights)
    owed, given = np.zeros(len(shares)), np.zeros(len(shares))
    for _ in range(400):
        counts, owed = apportion(shares, n, owed)
        given += counts
    assert np.abs(given - 400 * n * shares).max() <= len(shares) / 2 + 1


@settings(max_examples=50)
@given(st.lists(st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4), min_size=100, max_size=100), st.integers(1, 9))
def test_drift_is_bounded_when_shares_move(rows, n):
    owed = np.zeros(4)
    for weights in rows:
        counts, owed = apportion(normal(weights), n, owed)
        assert counts.sum() == n
    assert np.abs(owed).max() < 4


def test_whole_shares_are_exact():
    counts, owed = apportion(np.array([0.2, 0.3, 0.5]), 10, np.zeros(3))
    assert counts.tolist() == [2, 3, 5]
    assert np.abs(owed).max() < 1e-9


def test_what_is_owed_never_overrules_the_shares():
    counts, _ = apportion(np.array([0.0, 0.5, 0.5]), 1, np.array([0.9, -0.4, -0.5]))
    assert counts.tolist() == [0, 1, 0]
    counts, _ = apportion(np.array([0.5, 0.25, 0.25]), 2, np.array([0.9, -0.5, -0.4]))
    assert counts.tolist() == [1, 0, 1]


def test_the_odd_prompt_goes_round():
    owed, seen = np.zeros(3), []
    for _ in range(3):
        counts, owed = apportion(np.full(3, 1 / 3), 1, owed)
        seen.append(int(counts.argmax()))
    assert sorted(seen) == [0, 1, 2]


@given(WEIGHTS, st.data())
def test_no_share_is_below_its_floor(weights, data):
    shares = normal(weights)
    parts = data.draw(st.lists(st.just(0.0) | st.floats(0, 1), min_size=len(shares), max_size=len(shares)))
    total = data.draw(st.floats(0, 0.95))
    floors = np.array(parts) * (total / sum(parts)) if sum(parts) > 1e-9 else np.zeros(len(parts))
    raised = raise_to_floors(shares, floors)
    assert raised.sum() == pytest.approx(1, abs=1e-9)
    assert np.all(raised >= floors - 1e-12)
    free = (raised > floors + 1e-9) & (shares > 0)
    ratios = raised[free] / shares[free]
    assert np.allclose(ratios, ratios[:1])  # the others keep their proportions
    assert np.all(raised[(shares == 0) & (floors == 0)] == 0)


def test_shares_above_their_floors_stay():
    shares = np.array([0.2, 0.8])
    assert raise_to_floors(shares, np.array([0.1, 0.2])).tolist() == shares.tolist()


def test_a_floor_that_pushes_another_below_its_own():
    raised = raise_to_floors(np.array([0.0, 0.3, 0.7]), np.array([0.5, 0.25, 0.0]))
    assert raised == pytest.approx([0.5, 0.25, 0.25])
