import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.analysis.sketches import LOG, SIGNED, Sketch, joined

WHOLE = st.lists(st.integers(0, 2**38), min_size=1, max_size=60)
SHARES = st.floats(0, 1)


def sketch_of(values: list[float], bins: object = LOG) -> Sketch:
    made = Sketch(bins)  # type: ignore[arg-type]
    made.add(values)
    return made


@given(WHOLE, SHARES)
def test_a_quantile_is_within_a_bin_of_the_true_one(values: list[int], share: float) -> None:
    found = sketch_of(values).quantile(share)
    true = float(np.quantile(values, share, method="lower"))
    assert abs(found - true) <= 0.045 * true + 1e-9
    assert min(values) <= found <= max(values)


@given(st.lists(st.integers(0, 22), min_size=1), SHARES)
def test_small_whole_numbers_are_exact(values: list[int], share: float) -> None:
    assert sketch_of(values).quantile(share) == np.quantile(values, share, method="lower")


@given(WHOLE, st.integers(0, 60))
def test_parts_give_what_the_whole_gives_in_any_order(values: list[int], cut: int) -> None:
    parts = [sketch_of(values[:cut]), sketch_of(values[cut:])]
    for both in (parts, parts[::-1]):
        whole, expected = joined(both, LOG), sketch_of(values)
        assert (whole.counts == expected.counts).all()
        assert (whole.count, whole.least, whole.most) == (len(values), min(values), max(values))
        assert whole.mean == pytest.approx(np.mean(values))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), SHARES)
def test_scores_from_minus_one_to_one_are_within_a_twentieth(values: list[float], share: float) -> None:
    assert abs(sketch_of(values, SIGNED).quantile(share) - np.quantile(values, share, method="lower")) <= 0.05 + 1e-9


def test_nothing_has_no_mean_and_no_quantile() -> None:
    assert np.isnan(Sketch(LOG).mean)
    assert np.isnan(Sketch(LOG).quantile(0.5))


@pytest.mark.parametrize("bins", [LOG, SIGNED])
def test_a_sketch_travels_between_processes_with_its_bins(bins: object) -> None:
    made = sketch_of([0.0, 1.0, 0.5], bins)
    back = pickle.loads(pickle.dumps(made))
    assert back.bins is bins
    assert (back.counts == made.counts).all()
    assert (back.mean, back.least, back.most) == (made.mean, made.least, made.most)
