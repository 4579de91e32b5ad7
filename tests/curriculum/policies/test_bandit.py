import math

import numpy as np
import pytest

from curriculum_verl.curriculum.feedback import summarise

BUCKETS = {"a": 10, "b": 10, "c": 10}
SPLIT, FLAT = [1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]  # mean |advantage| 1 and 0


def observe(policy, prompts, groups):
    policy.observe(np.array(prompts), summarise(groups, 0.5))


def softmax(scores):
    weights = [math.exp(score) for score in scores]
    return [weight / sum(weights) for weight in weights]


def test_the_rule_by_hand(make_policy):
    policy = make_policy("bandit", BUCKETS, rate=0.5, temperature=0.25, floor=0.1)
    assert policy.shares(4) == pytest.approx([1 / 3] * 3)
    observe(policy, [0, 1, 10], [SPLIT, FLAT, SPLIT])
    assert policy.metrics() == {"value/a": 0.25, "value/b": 0.5, "value/c": 0.0}
    observe(policy, [11], [FLAT])
    assert policy.metrics() == {"value/a": 0.25, "value/b": 0.25, "value/c": 0.0}
    observe(policy, [25, 11], [SPLIT, SPLIT])
    assert policy.metrics() == {"value/a": 0.25, "value/b": 0.625, "value/c": 0.5}
    expected = [0.9 * share + 0.1 / 3 for share in softmax([1.0, 2.5, 2.0])]
    assert policy.shares(4) == pytest.approx(expected)


def test_the_bonus_by_hand(make_policy):
    policy = make_policy("bandit", BUCKETS, temperature=0.5, explore=0.3, floor=0.0, rate=1.0)
    observe(policy, [0, 1, 10], [FLAT] * 3)
    bonus = [0.3 * math.sqrt(2 * math.log(4) / (1 + seen)) for seen in (2, 1, 0)]
    assert policy.shares(4) == pytest.approx(softmax([value / 0.5 for value in bonus]))


def test_the_floor_follows_the_mix_and_other_buckets_get_nothing(make_policy):
    policy = make_policy("bandit", BUCKETS, mix={"a": 0.2, "b": 0.8}, floor=1.0)
    assert policy.shares(4) == pytest.approx([0.2, 0.8, 0.0])
    policy = make_policy("bandit", BUCKETS, mix={"a": 0.2, "b": 0.8}, floor=0.5)
    observe(policy, [25], [SPLIT])
    assert policy.shares(4) == pytest.approx([0.35, 0.65, 0.0])


def test_the_bucket_that_teaches_wins(make_policy, counted):
    policy = make_policy("bandit", BUCKETS)
    for _ in range(20):
        prompts = policy.draw(12)
        observe(policy, prompts, [SPLIT if 10 <= prompt < 20 else FLAT for prompt in prompts])
    assert counted(policy, policy.draw(100))[1] > 90


def test_state_round_trip(make_policy, through_json):
    policy, other = (make_policy("bandit", BUCKETS, explore=0.2) for _ in range(2))
    observe(policy, [0, 15], [SPLIT, [0.0, 0.3]])
    policy.draw(5)
    other.load_state_dict(through_json(policy.state_dict()))
    assert other.shares(3).tolist() == policy.shares(3).tolist()
    assert other.state_dict() == policy.state_dict()
    observe(policy, [0, 25], [SPLIT, FLAT])
    observe(other, [0, 25], [SPLIT, FLAT])
    assert other.state_dict() == policy.state_dict()
