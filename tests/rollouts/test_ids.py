import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.rollouts.ids import IdsHash, joint_hash

KEYS = st.lists(st.integers(0, 2**64 - 1), max_size=30)


def hash_of(*parts) -> str:
    found = IdsHash()
    for part in parts:
        found.update(part)
    return str(found)


@given(KEYS, st.integers(0, 30))
def test_it_does_not_matter_how_many_come_at_a_time(keys, cut):
    assert hash_of(keys) == hash_of(keys[:cut], keys[cut:]) == hash_of([], *([key] for key in keys))
    assert hash_of(keys) == hash_of(np.array(keys, np.uint64)) == hash_of(np.array(keys, ">u8"))


@given(KEYS, KEYS)
def test_other_keys_have_another_hash(one, other):
    assert (hash_of(one) == hash_of(other)) == (one == other)


def test_the_order_counts():
    assert hash_of([1, 2]) != hash_of([2, 1])
    assert joint_hash(["a", "b"]) != joint_hash(["b", "a"])


def test_the_hash_is_the_same_for_ever():
    assert hash_of([1, 2**64 - 1]) == "xxh3-128:883c59f6988943ea1f3f4b98cda9d9ea"
    assert joint_hash([hash_of([1]), hash_of([2])]) == "xxh3-128:e51d7475f9490e8470f696ba2840524f"


@pytest.mark.parametrize("key", [-1, 2**64])
def test_a_key_that_does_not_fit_is_an_error(key):
    with pytest.raises(OverflowError):
        hash_of([key])
