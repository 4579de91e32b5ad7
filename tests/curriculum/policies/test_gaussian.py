import math

import numpy as np
import pytest

from curriculum_verl.curriculum.feedback import summarise

BUCKETS = {"a": 50, "b": 50, "c": 50, "d": 50}
NOTHING = (np.array([0]), summarise([[0.0]], 0.5))


@pytest.mark.parametrize(("width", "power"), [(0.75, 0.5), (1.5, 1.0), (0.3, 2.0)])
def test_shares_by_the_formula(make_policy, width, power):
    policy = make_policy("gaussian", BUCKETS, steps=10, width=width, power=power)
    for t in range(15):
        x = 3 * min(1.0, t / 10) ** power
        bell = [math.exp(-((x - k) ** 2) / (2 * width**2)) for k in range(4)]
        assert policy.shares(8) == pytest.approx([height / sum(bell) for height in bell])
        assert policy.metrics() == {"centre": pytest.approx(x)}
        policy.observe(*NOTHING)


def test_only_the_buckets_of_the_stage_count(make_policy, counted):
    policy = make_policy("gaussian", BUCKETS, steps=1, width=0.1, mix={"b": 0.9, "d": 0.1})
    assert counted(policy, policy.draw(10)) == [0, 10, 0, 0]
    policy.observe(*NOTHING)
    assert counted(policy, policy.draw(10)) == [0, 0, 0, 10]


@pytest.mark.parametrize("width", [1e-6, 0.01, 0.013, 100.0])
def test_a_narrow_bell_between_two_buckets_still_has_shares(make_policy, width):
    policy = make_policy("gaussian", {"a": 50, "b": 50}, steps=4, width=width)
    policy.observe(*NOTHING)  # x = 0.5, as far from both as can be
    assert policy.shares(8) == pytest.approx([0.5, 0.5])
    assert len(policy.draw(8)) == 8


def test_state_round_trip(make_policy, through_json):
    policy, other = (make_policy("gaussian", BUCKETS, steps=20) for _ in range(2))
    for _ in range(7):
        policy.observe(*NOTHING)
    other.load_state_dict(through_json(policy.state_dict()))
    assert other.shares(5).tolist() == policy.shares(5).tolist()
    assert other.metrics() == policy.metrics() != make_policy("gaussian", BUCKETS, steps=20).metrics()
