import math

import numpy as np
import pytest

from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.errors import InputError


def test_buckets_are_ranges_in_the_order_given():
    index = PromptIndex.build({"hard": 2, "easy": 3}, data_hash="h")
    assert index.names == ("hard", "easy")
    assert index.offsets.tolist() == [0, 2, 5]
    assert len(index) == 5
    assert index.bucket_of(np.arange(5)).tolist() == [0, 0, 1, 1, 1]
    assert index.data_hash == "h"


def test_values_by_bucket_and_by_name():
    index = PromptIndex.build({"a": 1, "b": 1, "c": 1})
    values = index.by_bucket({"c": 0.75, "a": 0.25})
    assert values.tolist() == [0.25, 0.0, 0.75]
    assert index.by_name(values) == {"a": 0.25, "b": 0.0, "c": 0.75}
    assert all(type(value) is int for value in index.by_name(index.sizes).values())


def test_no_prompt_costs_a_byte_without_arrays():
    index = PromptIndex.build({"a": 10**8, "b": 10**8})
    assert len(index) == 2 * 10**8
    assert sum(array.nbytes for array in (index.sizes, index.offsets)) < 100
    assert index.bucket_of(np.array([10**8 - 1, 10**8])).tolist() == [0, 1]


def test_what_is_known_beforehand_is_small():
    index = PromptIndex.build({"a": 2}, difficulty=[0.1, 2.5], pass_rate=[0.25, math.nan])
    assert index.difficulty.dtype == np.float32
    assert index.pass_rate.dtype == np.float16
    assert index.pass_rate[0] == 0.25
    assert np.isnan(index.pass_rate[1])


def test_all_mistakes_at_once():
    with pytest.raises(InputError) as caught:
        PromptIndex.build({"a": 0, "b": 3, "c": -1}, difficulty=[math.inf], pass_rate=[0.5, 1.5, -0.1])
    message = str(caught.value)
    assert "bucket 'a': got 0 prompts, expected at least 1" in message
    assert "bucket 'c': got -1 prompts" in message
    assert "'b'" not in message
    assert "difficulty: got values that are not finite" in message
    assert "difficulty: got 1 values, expected one for each" in message
    assert "pass_rate: got 3 values" in message
    assert "pass_rate: got values outside [0, 1], expected rates, or NaN where unknown" in message


@pytest.mark.parametrize("difficulty", [[math.nan, 1.0], [-math.inf, 1.0], [1e300, 1.0]])
def test_a_difficulty_must_be_a_number_that_can_be_kept(difficulty):
    with pytest.raises(InputError, match="difficulty: got values that are not finite"):
        PromptIndex.build({"a": 2}, difficulty=difficulty)


def test_no_buckets_at_all():
    with pytest.raises(InputError, match="got no buckets, expected at least one"):
        PromptIndex.build({})
