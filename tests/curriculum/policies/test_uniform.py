import numpy as np
import pytest


def test_every_prompt_of_the_stages_buckets_alike(make_policy, counted):
    policy = make_policy("uniform", {"a": 100, "b": 300, "c": 600}, mix={"a": 0.9, "b": 0.1})
    assert counted(policy, policy.draw(40)) == [10, 30, 0]
    assert np.bincount(policy.draw(360), minlength=1000).max() == 1
    assert policy.shares(1) == pytest.approx([0.25, 0.75, 0.0])


def test_state_round_trip(make_policy, through_json):
    policy, other = (make_policy("uniform", {"a": 3, "b": 7}) for _ in range(2))
    policy.draw(5)
    other.load_state_dict(through_json(policy.state_dict()))
    other.pools.load_state_dict(through_json(policy.pools.state_dict()))
    assert [other.draw(3).tolist() for _ in range(9)] == [policy.draw(3).tolist() for _ in range(9)]
    assert policy.metrics() == {}
