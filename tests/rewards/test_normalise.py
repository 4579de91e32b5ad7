"""Normalisation: what it does to values, that it is bounded, finite and resumed exactly."""

import math
import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewards.made_up_texts import fuzz

from curriculum_verl.errors import ConfigError
from curriculum_verl.rewards.normalise import Normaliser, Scale
from curriculum_verl.rewards.settings import Normalisation


def test_none_changes_nothing():
    normaliser = Normaliser()
    normaliser.observe(0, [1, 2, 3])
    assert [normaliser.apply(value) for value in (-7.5, 0, 1e300)] == [-7.5, 0, 1e300]


def test_clip_keeps_values_within_its_limits():
    normaliser = Normaliser(Normalisation("clip", low=-0.5, high=2))
    assert [normaliser.apply(value) for value in (-7, -0.5, 1, 9)] == [-0.5, -0.5, 1, 2]


def test_z_scores_have_mean_zero_and_deviation_one():
    rng = random.Random(1)
    values = [rng.gauss(3, 2) for _ in range(5000)]
    normaliser = Normaliser(Normalisation("z_score"))
    for step in range(50):
        normaliser.observe(step, values[step * 100 : (step + 1) * 100])
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    assert normaliser.metrics() == pytest.approx({"mean": mean, "deviation": deviation, "not_finite": 0})
    assert normaliser.apply(mean) == pytest.approx(0)
    assert normaliser.apply(mean + deviation) == pytest.approx(1)
    assert normaliser.apply(1e9) == 5


def test_old_values_fade_when_the_memory_is_full():
    normaliser = Normaliser(Normalisation("z_score", memory=100))
    for step in range(100):
        normaliser.observe(step, [0.0] * 50)
    for step in range(100, 140):
        normaliser.observe(step, [1.0] * 50)
    assert normaliser.metrics()["mean"] == pytest.approx(1.0)


def test_before_anything_was_seen_and_with_equal_values_only_the_mean_is_taken_off():
    normaliser = Normaliser(Normalisation("z_score"))
    assert normaliser.apply(0.5) == 0.5
    normaliser.observe(0, [0.3] * 9)
    assert normaliser.apply(0.5) == pytest.approx(0.2)


def test_scale_holds_still_within_a_step_and_travels_as_four_numbers(through_json):
    normaliser = Normaliser(Normalisation("z_score"))
    normaliser.observe(0, [0.0, 1.0])
    scale = normaliser.scale()
    sent = Scale(*through_json([scale.shift, scale.factor, scale.low, scale.high]))
    normaliser.observe(1, [5.0, 9.0])
    assert sent.apply(1.0) == 1.0 != normaliser.apply(1.0)


def test_a_step_is_taken_in_once():
    normaliser = Normaliser(Normalisation("z_score"))
    normaliser.observe(4, [0.0, 1.0])
    state = normaliser.state_dict()
    normaliser.observe(4, [7.0])
    assert normaliser.state_dict() == state


KINDS = st.builds(
    Normalisation, st.sampled_from(["none", "clip", "z_score"]), memory=st.integers(1, 20), most=st.floats(0.1, 10)
)


@fuzz
@given(KINDS, st.lists(st.lists(st.floats(), max_size=6), max_size=6), st.floats(allow_nan=False, allow_infinity=False))
def test_results_are_finite_order_changes_nothing_and_a_saved_state_goes_on(through_json, settings, steps, raw):
    normaliser, other = Normaliser(settings), Normaliser(settings)
    for step, values in enumerate(steps):
        normaliser.observe(step, values)
        other.observe(step, reversed(values))
        saved = through_json(other.state_dict())
        other = Normaliser(settings)
        other.load_state_dict(saved)
    assert other.state_dict() == normaliser.state_dict()
    assert all(math.isfinite(value) for value in normaliser.metrics().values())
    assert math.isfinite(normaliser.apply(raw))
    given_values = [value for values in steps for value in values]
    assert normaliser.metrics()["not_finite"] == sum(not math.isfinite(value) for value in given_values)


def test_the_largest_numbers_stay_finite():
    assert Scale(shift=-sys.float_info.max, factor=10.0).apply(sys.float_info.max) == sys.float_info.max


def test_limits_the_wrong_way_round_are_refused():
    with pytest.raises(ConfigError, match="expected less than high"):
        Normalisation("clip", low=1, high=1)
