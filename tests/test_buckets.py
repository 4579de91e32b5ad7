import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curriculum_verl.buckets import bucket_numbers, even_cuts
from curriculum_verl.errors import InputError


def test_without_ties_buckets_are_equal():
    values = np.random.default_rng(0).permutation(90).astype(float)
    cuts = even_cuts(values, 3)
    assert cuts.tolist() == [29, 59]
    assert np.bincount(bucket_numbers(values, cuts)).tolist() == [30, 30, 30]


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=80), st.integers(1, 6))
def test_no_bucket_is_empty_and_equal_values_stay_together(values, buckets):
    values = np.array(values, dtype=float)
    if len(np.unique(values)) < buckets:
        with pytest.raises(InputError, match="too few for"):
            even_cuts(values, buckets)
        return
    numbers = bucket_numbers(values, even_cuts(values, buckets))
    assert (np.bincount(numbers, minlength=buckets) > 0).all()
    assert len(np.bincount(numbers)) == buckets
    for value in np.unique(values):
        assert len(set(numbers[values == value])) == 1
    assert (np.diff(numbers[np.argsort(values, kind="stable")]) >= 0).all()


def test_a_large_tie_takes_the_bucket_that_it_fills():
    values = np.array([0.0] * 80 + [0.5] * 10 + [1.0] * 10)
    assert np.bincount(bucket_numbers(values, even_cuts(values, 3))).tolist() == [80, 10, 10]


def test_too_few_values_are_named_with_what_to_do():
    with pytest.raises(InputError, match=r"got 2 distinct values \(0, 1\), too few for 3 buckets; ask for"):
        even_cuts(np.array([0.0, 1.0, 1.0]), 3)
