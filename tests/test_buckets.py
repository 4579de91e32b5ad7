import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curriculum_verl.buckets import bucket_numbers, cut_positions, even_cuts
from curriculum_verl.errors import InputError

FEW_VALUES = st.lists(st.integers(0, 12), min_size=1, max_size=80)
FEW_PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 2)), min_size=1, max_size=60)
# Counts of equal values, from no ties at all to ties that dwarf everything else.
COUNTS = {
    "none": lambda rng, size: np.ones(size, dtype=int),
    "small": lambda rng, size: rng.integers(1, 4, size),
    "heavy": lambda rng, size: rng.zipf(1.4, size).clip(max=50_000),
    "rare giants": lambda rng, size: np.where(rng.random(size) < 0.01, rng.integers(1, 20_000, size), 1),
    "powers of two": lambda rng, size: 2 ** rng.integers(0, 10, size),
    "hard end": lambda rng, size: np.append(np.ones(size - 1, dtype=int), size),
}


def sizes(ordered, positions):
    return np.diff([0, *positions, len(ordered)])


def brute_force(ordered, buckets):
    """The least sum of squared sizes, tried over every set of cuts."""
    allowed = [row for row in range(1, len(ordered)) if ordered[row - 1] != ordered[row]]
    return min((sizes(ordered, cuts) ** 2).sum() for cuts in combinations(allowed, buckets - 1))


def reference(counts, buckets):
    """The least sum of squared sizes, from every pair of boundaries for every bucket."""
    ends = np.concatenate([[0.0], np.cumsum(counts)])
    costs = (ends[:, None] - ends) ** 2
    costs[np.triu_indices(len(ends))] = np.inf
    least = costs[:, 0]
    for _ in range(1, buckets):
        least = (costs + least).min(axis=1)
    return least[-1]


def assert_fair(ordered, positions, buckets):
    assert len(positions) == buckets - 1
    assert (sizes(ordered, positions) > 0).all()
    assert all(ordered[row - 1] != ordered[row] for row in positions)


def test_without_ties_buckets_are_equal():
    values = np.random.default_rng(0).permutation(90).astype(float)
    cuts = even_cuts(values, 3)
    assert cuts.tolist() == [29, 59]
    assert np.bincount(bucket_numbers(values, cuts)).tolist() == [30, 30, 30]


@given(FEW_VALUES, st.integers(1, 6))
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


@given(FEW_VALUES, st.integers(1, 5))
def test_values_are_cut_as_evenly_as_any_cuts_do(values, buckets):
    ordered = np.sort(np.array(values, dtype=float))
    buckets = min(buckets, len(np.unique(ordered)))
    positions = cut_positions(ordered, buckets)
    assert_fair(ordered, positions, buckets)
    assert (sizes(ordered, positions) ** 2).sum() == brute_force(ordered, buckets)


@given(FEW_PAIRS, st.integers(1, 4))
def test_pairs_are_cut_as_evenly_as_any_cuts_do(pairs, buckets):
    ordered = np.sort(np.array([complex(*pair) for pair in pairs]))
    buckets = min(buckets, len(np.unique(ordered)))
    positions = cut_positions(ordered, buckets)
    assert_fair(ordered, positions, buckets)
    assert (sizes(ordered, positions) ** 2).sum() == brute_force(ordered, buckets)


@settings(max_examples=25)
@given(st.sampled_from(sorted(COUNTS)), st.integers(1001, 1800), st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_many_distinct_values_are_cut_as_evenly_as_the_reference(ties, distinct, buckets, seed):
    counts = COUNTS[ties](np.random.default_rng(seed), distinct)
    ordered = np.repeat(np.arange(distinct, dtype=float), counts)
    positions = cut_positions(ordered, buckets)
    assert_fair(ordered, positions, buckets)
    assert (sizes(ordered, positions) ** 2).sum() == reference(counts, buckets)


@pytest.mark.parametrize("ties", sorted(COUNTS))
def test_many_buckets_are_as_even_as_the_reference(ties):
    counts = COUNTS[ties](np.random.default_rng(5), 1200)
    ordered = np.repeat(np.arange(1200, dtype=float), counts)
    positions = cut_positions(ordered, 60)
    assert_fair(ordered, positions, 60)
    assert (sizes(ordered, positions) ** 2).sum() == reference(counts, 60)


@pytest.mark.parametrize("counts", [[1, 99, 2, 59, 248, 8], [207, 34, 1, 54], [1, 55, 7, 1, 9]])
def test_a_best_cut_far_from_the_first_candidates_is_not_dropped(counts):
    # Lost by a search that trusts only the left end of a gap, only its right end, or a smaller slack.
    ordered = np.repeat(np.arange(len(counts), dtype=float), counts)
    assert (sizes(ordered, cut_positions(ordered, 3)) ** 2).sum() == reference(counts, 3)


def test_a_bucket_for_every_value_is_possible():
    ordered = np.repeat(np.arange(200.0), np.random.default_rng(3).integers(1, 100, 200))
    assert cut_positions(ordered, 200) == np.unique(ordered, return_index=True)[1][1:].tolist()


def test_one_bucket_needs_no_cut():
    assert cut_positions(np.array([1.0, 1.0]), 1) == []
    assert even_cuts(np.array([1.0, 1.0]), 1).tolist() == []


def test_a_large_tie_takes_the_bucket_that_it_fills():
    values = np.array([0.0] * 80 + [0.5] * 10 + [1.0] * 10)
    assert np.bincount(bucket_numbers(values, even_cuts(values, 3))).tolist() == [80, 10, 10]


def test_buckets_beside_a_large_tie_share_the_rest():
    values = np.append(np.arange(50.0), [99.0] * 50)
    assert np.bincount(bucket_numbers(values, even_cuts(values, 3))).tolist() == [25, 25, 50]


def test_of_equally_even_splits_the_earliest_cuts_win():
    assert cut_positions(np.arange(11.0), 3) == [3, 7]
    assert cut_positions(np.arange(100_001.0), 2) == [50_000]


def test_the_order_of_the_input_does_not_matter():
    rng = np.random.default_rng(7)
    values = rng.zipf(1.5, 5_000).astype(float)
    kept = values.copy()
    cuts = even_cuts(values, 6)
    assert (values == kept).all()
    assert (
        cuts.tolist() == even_cuts(np.sort(values)[::-1], 6).tolist() == even_cuts(rng.permutation(values), 6).tolist()
    )


def test_a_tie_break_parts_equal_values():
    values = np.array([complex(value, tie) for value in (0, 1) for tie in (3, 1, 2)])
    cuts = even_cuts(values, 3)
    assert cuts.tolist() == [2j, 1 + 1j]
    assert bucket_numbers(values, cuts).tolist() == [1, 0, 0, 2, 1, 2]


@pytest.mark.parametrize(
    ("given_as", "kept_as"),
    [("float32", "float64"), ("int64", "float64"), ("complex64", "complex128"), ("complex128", "complex128")],
)
def test_cuts_are_doubles_or_pairs_of_doubles(given_as, kept_as):
    assert even_cuts(np.arange(6).astype(given_as), 2).dtype == kept_as


def test_too_few_values_are_named_with_what_to_do():
    expected = r"got 2 distinct values: 0 \(1x\), 1 \(2x\); too few for 3 buckets. .*\(-n 2\).* metric.*\(--tie-break\)"
    with pytest.raises(InputError, match=expected):
        even_cuts(np.array([-0.0, 1.0, 1.0]), 3)


def test_too_few_pairs_are_named_as_value_and_tie():
    with pytest.raises(InputError, match=r"got 1 distinct value: \(0\.5, 2\) \(1,200x\); too few for 2 buckets"):
        even_cuts(np.full(1200, 0.5 + 2j), 2)


def test_a_long_list_of_values_is_cut_short():
    with pytest.raises(InputError, match=r"got 17 distinct values: 0 \(1x\).*, 9 \(1x\) and 7 more; too few for 18"):
        even_cuts(np.arange(17.0), 18)


@pytest.mark.parametrize(
    ("values", "message"),
    [([], "got no values"), ([1.0, np.nan, 2.0], "got NaN"), ([1j, complex(0, np.nan), 2j], "got NaN")],
)
def test_values_without_an_order_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        even_cuts(np.array(values), 2)


@pytest.mark.parametrize("ties", ["none", "half"])
def test_memory_does_not_grow_with_the_rows(ties):
    ordered = np.arange(1_000_000.0)
    if ties == "half":
        ordered[500_000:] = 1e6
    tracemalloc.start()
    try:
        positions = cut_positions(ordered, 10)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert_fair(ordered, positions, 10)
    assert peak < 500_000  # half a byte per row, so not even a mask was made
