import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.curriculum.permutation import permute
from curriculum_verl.curriculum.randomness import RandomStream, key_of, mix64

KEYS = st.integers(0, 2**64 - 1)


def whole(size, key):
    return permute(np.arange(size), np.full(size, size), np.full(size, key, dtype=np.uint64))


def test_every_size_up_to_3000_is_a_bijection():
    for size in range(1, 3001):
        assert np.array_equal(np.sort(whole(size, size * 0x9E3779B97F4A7C15 % 2**64)), np.arange(size)), size


@given(st.integers(1, 3000), KEYS)
def test_every_key_is_a_bijection(size, key):
    assert np.array_equal(np.sort(whole(size, key)), np.arange(size))


@given(st.integers(1, 10**8), KEYS, st.data())
def test_large_sizes_stay_inside_and_do_not_collide(size, key, data):
    positions = np.array(data.draw(st.lists(st.integers(0, size - 1), unique=True, min_size=1, max_size=50)))
    out = permute(positions, np.full(len(positions), size), np.full(len(positions), key, dtype=np.uint64))
    assert len(np.unique(out)) == len(positions)
    assert 0 <= out.min() <= out.max() < size


def test_elements_do_not_depend_on_their_neighbours():
    sizes, keys = np.array([7, 1000, 1, 50]), np.array([1, 2, 3, 2**64 - 1], dtype=np.uint64)
    positions = np.array([6, 999, 0, 25])
    together = permute(positions, sizes, keys)
    alone = [permute(positions[i : i + 1], sizes[i : i + 1], keys[i : i + 1])[0] for i in range(4)]
    assert together.tolist() == alone


def test_nothing_in_nothing_out():
    nothing = np.array([], dtype=np.int64)
    assert permute(nothing, nothing, nothing.astype(np.uint64)).tolist() == []


@pytest.mark.parametrize("size", [2, 3, 5, 10, 37])
def test_every_position_lands_everywhere_alike(size):
    runs = 4000
    keys = mix64(np.repeat(np.arange(runs, dtype=np.uint64) + np.uint64(1), size))
    out = permute(np.tile(np.arange(size), runs), np.full(runs * size, size), keys).reshape(runs, size)
    for position in range(size):
        counts = np.bincount(out[:, position], minlength=size)
        chi_square = ((counts - runs / size) ** 2 / (runs / size)).sum()
        # The mean of chi-square is size - 1, its variance twice that: six deviations above it chance is out.
        assert chi_square < size - 1 + 6 * np.sqrt(2 * (size - 1)) + 6


def test_neighbours_part_ways():
    """Two prompts that stand side by side follow each other in a shuffle as rarely as any two."""
    size, runs = 100, 2000
    keys = mix64(np.repeat(np.arange(runs, dtype=np.uint64) + np.uint64(1), size))
    out = permute(np.tile(np.arange(size), runs), np.full(runs * size, size), keys).reshape(runs, size)
    followers = (np.diff(out, axis=1) == 1).mean()
    assert followers == pytest.approx(1 / size, rel=0.1)


def test_epochs_and_seeds_give_other_orders():
    orders = {tuple(whole(50, int(key))) for key in mix64(np.uint64(key_of(0, 0)) + np.arange(50, dtype=np.uint64))}
    orders |= {tuple(whole(50, key_of(seed, 0))) for seed in range(1, 51)}
    assert len(orders) == 100


def test_the_order_is_fixed_for_good():
    """A change of these numbers breaks the resume of every run that was saved before it."""
    assert whole(10, 42).tolist() == [4, 0, 2, 6, 3, 5, 8, 9, 7, 1]
    assert whole(1000, 42)[:8].tolist() == [286, 987, 797, 457, 458, 880, 777, 603]
    assert RandomStream(7, "order").next().integers(0, 1000, 5).tolist() == [82, 190, 947, 685, 399]


def test_mix64_is_a_bijection_that_spreads_single_bits():
    words = np.arange(2**16, dtype=np.uint64)
    assert len(np.unique(mix64(words))) == len(words)
    bits = np.uint64(1) << np.arange(64, dtype=np.uint64)
    flipped = np.bitwise_count(mix64(words[1:1001, None] ^ bits) ^ mix64(words[1:1001, None])).mean(axis=0)
    assert np.all((flipped > 26) & (flipped < 38))


def test_keys_depend_on_every_part_and_its_place():
    keys = {
        key_of(seed, *parts) for seed in (0, 1, -1, 2**64 - 2) for parts in ((), (0,), (1,), (0, 1), (1, 0), (1, 0, 0))
    }
    assert len(keys) == 24


def test_a_random_stream_resumes(through_json):
    stream = RandomStream(3, "a")
    stream.next()
    other = RandomStream(3, "a")
    other.load_state_dict(through_json(stream.state_dict()))
    expected = [stream.next().random() for _ in range(3)]
    assert [other.next().random() for _ in range(3)] == expected
    assert len(set(expected)) == 3
    assert RandomStream(3, "b").next().random() != RandomStream(3, "a").next().random()


@pytest.mark.parametrize("size", [2, 3, 5, 6])
def test_every_order_of_a_small_bucket_is_as_likely_as_any_other(size):
    """Chi-square over all orders; a network of few rounds on so few items would miss it by far."""
    orders = math.factorial(size)
    runs = 40 * orders
    keys = mix64(np.arange(runs, dtype=np.uint64) + np.uint64(key_of(5)))
    out = permute(np.tile(np.arange(size), runs), np.full(runs * size, size), np.repeat(keys, size)).reshape(runs, size)
    counts = np.unique(out @ size ** np.arange(size), return_counts=True)[1]
    assert len(counts) == orders
    excess = ((counts - 40) ** 2 / 40).sum() - (orders - 1)
    assert abs(excess) < 4 * math.sqrt(2 * (orders - 1))
