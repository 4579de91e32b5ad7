import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.monitor.series import aligned, all_steps, moving_average, thinned, thinned_together

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200).map(np.array)


@given(VALUES, st.integers(1, 30), st.integers(1, 12))
def test_a_moving_average_is_the_mean_of_the_last_steps(values: np.ndarray, window: int, apart: int) -> None:
    """Also of a metric that only every so manieth step tells."""
    steps = 5 + apart * np.arange(len(values))
    expected = [values[(steps > step - window) & (steps <= step)].mean() for step in steps]
    np.testing.assert_allclose(moving_average(steps, values, window), expected, atol=1e-6)


def test_a_moving_average_of_large_numbers_keeps_their_differences() -> None:
    values = 1e12 + np.array([0.0, 1.0, 2.0, 3.0])
    assert moving_average(np.arange(4), values, 2).tolist() == [1e12, 1e12 + 0.5, 1e12 + 1.5, 1e12 + 2.5]


@given(VALUES, st.integers(6, 60))
def test_thinning_keeps_both_ends_and_every_peak(values: np.ndarray, most: int) -> None:
    steps = np.arange(len(values)) * 3
    kept, found = thinned(steps, values, most)
    assert len(kept) <= max(most, 2)
    assert found.tolist() == values[kept // 3].tolist()
    assert np.all(np.diff(kept) > 0)
    assert (kept[0], kept[-1]) == (steps[0], steps[-1])
    assert (found.min(), found.max()) == (values.min(), values.max())


def test_one_peak_among_a_million_values_is_drawn() -> None:
    values = np.zeros(1_000_000)
    values[123_456] = 7.0
    kept, found = thinned(np.arange(1_000_000), values)
    assert len(kept) <= 1200
    assert kept[found.argmax()] == 123_456


@given(st.integers(1, 500), st.integers(1, 50))
def test_parts_that_are_thinned_together_still_make_the_whole(count: int, most: int) -> None:
    first = np.linspace(0, 1, count)
    steps, rows = thinned_together(np.arange(count), np.array([first, 1 - first]), most)
    assert rows.shape == (2, len(steps))
    assert len(steps) <= max(most, 1)
    np.testing.assert_allclose(rows.sum(axis=0), 1)


@given(st.lists(st.lists(st.integers(0, 40), unique=True, max_size=30).map(sorted), max_size=4))
def test_the_steps_of_several_series(several: list[list[int]]) -> None:
    found = all_steps(np.array(steps, dtype=np.int64) for steps in several)
    assert found.tolist() == sorted({step for steps in several for step in steps})


def test_a_series_on_other_steps() -> None:
    steps, there = np.array([1, 2, 5, 9]), np.array([2, 3, 9, 12])
    assert aligned(steps, there, np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [0.0, 1.0, 0.0, 3.0]


def test_a_moving_average_forgets_what_has_left_its_window() -> None:
    values = np.array([1.0, 1e18, 1.0, 2.0, 4.0])
    assert moving_average(np.arange(5), values, 2)[3:].tolist() == [1.5, 3.0]
    huge = np.array([1e308, 1e308, 1e308, 0.5, 0.5])
    found = moving_average(np.arange(5), huge, 2)
    assert found[1] == 1e308
    assert np.all(np.isfinite(found))
    assert found[4] == 0.5
