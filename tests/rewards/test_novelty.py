"""Counts that fade, in bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewards.made_up_texts import fuzz

from curriculum_verl.rewards.novelty import Novelty


def test_the_value_falls_with_the_count_and_comes_back_with_time():
    novelty = Novelty(decay=0.5, most_states=10)
    assert novelty.value("a", 0) == 1
    novelty.observe(0, {"a": 3})
    assert novelty.value("a", 0) == pytest.approx(1 / 2)
    assert novelty.value("a", 1) == pytest.approx(1 / 2.5**0.5)
    assert novelty.value("b", 0) == 1
    novelty.observe(2, {"a": 1})  # 3 have faded to 0.75
    assert novelty.value("a", 2) == pytest.approx(1 / 2.75**0.5)
    assert novelty.value("a", 100_000) == 1


def test_what_counts_least_is_forgotten_first():
    novelty = Novelty(decay=0.5, most_states=10)
    novelty.observe(0, {"old": 4})
    novelty.observe(5, {f"new {number}": number for number in range(1, 11)})
    assert len(novelty) == 9
    assert novelty.value("old", 5) == novelty.value("new 1", 5) == 1
    assert novelty.value("new 2", 5) < 1


REACHED = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 5), max_size=8)


@fuzz
@given(st.lists(st.tuples(st.integers(1, 50), REACHED), max_size=20))
def test_memory_is_bounded_and_a_saved_state_goes_on_alike(through_json, steps):
    novelty, resumed = Novelty(0.9, 5), Novelty(0.9, 5)
    step = 0
    for wait, reached in steps:
        step += wait
        novelty.observe(step, reached)
        assert len(novelty) <= 5
        assert all(0 < novelty.value(state, step) <= 1 for state in "abcdefgh")
        resumed.observe(step, dict(reversed(reached.items())))
        saved = through_json(resumed.state_dict())
        resumed = Novelty(0.9, 5)
        resumed.load_state_dict(saved)
    assert resumed.state_dict() == novelty.state_dict()
