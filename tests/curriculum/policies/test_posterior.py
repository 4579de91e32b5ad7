import math

import numpy as np
import pytest

from curriculum_verl.curriculum.feedback import summarise

BUCKETS = {"easy": 300, "medium": 300, "hard": 300}


def scores_of(rates, responses=8, seed=0):
    """Whole numbers of passes as near to the rates as can be."""
    wins = np.rint(np.asarray(rates) * responses).astype(int)
    return [[1.0] * win + [0.0] * (responses - win) for win in wins]


def observe(policy, prompts, rates, responses=8):
    policy.observe(np.asarray(prompts), summarise(scores_of(rates, responses), 0.5))


def teach(policy, rates, steps=30):
    """Feedback for twenty prompts of every bucket at the bucket's rate."""
    offsets = policy.pools.index.offsets
    for _ in range(steps):
        for bucket, rate in enumerate(rates):
            observe(policy, np.arange(offsets[bucket], offsets[bucket] + 20), [rate] * 20)


@pytest.mark.parametrize(("target", "bucket"), [(0.5, 1), (0.9, 0), (0.1, 2)])
def test_the_bucket_near_the_target_rate_gets_the_most(make_policy, target, bucket):
    policy = make_policy("posterior", BUCKETS, target=target, stretch=0.0, floor=0.0)
    teach(policy, [0.9, 0.5, 0.1])
    assert policy.shares(10)[bucket] > 0.75
    assert policy.shares(10).sum() == pytest.approx(1)


@pytest.mark.parametrize("sharpness", [1.0, 5.0, 100.0])
def test_every_bucket_gets_slots_by_its_usefulness(make_policy, sharpness):
    policy = make_policy("posterior", BUCKETS, sharpness=sharpness, stretch=0.0, floor=0.0)
    teach(policy, [0.875, 0.5, 0.125], steps=60)
    useful = np.sqrt([0.875 * 0.125, 0.25, 0.875 * 0.125]) ** sharpness
    assert policy.shares(10) == pytest.approx(useful / useful.sum(), abs=0.03)


def test_metrics_are_the_posterior_means(make_policy):
    policy = make_policy("posterior", BUCKETS)
    assert policy.metrics() == {"rate/easy": 0.5, "rate/medium": 0.5, "rate/hard": 0.5}
    observe(policy, [0, 1, 2], [1.0, 1.0, 0.25])
    # Beta(3, 3) forgets nothing below its memory; three groups count four trials each at their mean rate of 0.75.
    assert policy.metrics()["rate/easy"] == pytest.approx((3 + 9) / (6 + 12))
    assert policy.metrics()["rate/hard"] == 0.5


@pytest.mark.parametrize("stretch", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("rate", [0.5, 0.75, 0.875])
def test_a_bucket_hands_on_the_more_slots_the_better_it_is_solved(make_policy, rate, stretch):
    policy = make_policy("posterior", BUCKETS, stretch=stretch, floor=0.0)
    teach(policy, [rate, 0.0, 0.0], steps=60)
    moved = stretch * rate**4
    assert policy.shares(10) == pytest.approx([1 - moved, moved, 0.0], abs=0.03)


def test_slots_move_one_bucket_only(make_policy):
    policy = make_policy("posterior", BUCKETS, floor=0.0, target=0.9, sharpness=100.0)
    teach(policy, [0.875, 0.5, 0.0], steps=60)
    moved = 0.875**4
    assert policy.shares(10) == pytest.approx([1 - moved, moved, 0.0], abs=0.03)


def test_the_hardest_bucket_keeps_its_slots(make_policy):
    policy = make_policy("posterior", BUCKETS, floor=0.0)
    teach(policy, [1.0, 1.0, 0.75], steps=60)
    assert policy.shares(10) == pytest.approx([0.0, 0.0, 1.0], abs=0.03)


def test_slots_skip_buckets_that_are_not_in_the_stage(make_policy):
    policy = make_policy("posterior", BUCKETS, floor=0.0, mix={"easy": 0.5, "hard": 0.5})
    teach(policy, [0.75, 0.5, 0.0], steps=60)
    assert policy.shares(10) == pytest.approx([1 - 0.75**4, 0.0, 0.75**4], abs=0.03)


def test_the_floor_is_kept_whatever_is_learned(make_policy):
    mix = {"easy": 0.5, "medium": 0.3, "hard": 0.2}
    policy = make_policy("posterior", BUCKETS, floor=0.3, stretch=0.0, mix=mix)
    teach(policy, [0.5, 0.01, 0.01])
    assert np.all(policy.shares(10) >= 0.3 * np.array([0.5, 0.3, 0.2]) - 1e-12)
    alone = make_policy("posterior", BUCKETS, floor=1.0, mix=mix)
    assert alone.shares(10) == pytest.approx([0.5, 0.3, 0.2])


def test_prompts_near_the_target_are_preferred_inside_a_bucket(make_policy):
    policy = make_policy("posterior", {"only": 400}, floor=0.0, candidates=4)
    rates = np.where(np.arange(400) % 4 == 0, 0.5, np.where(np.arange(400) % 2 == 0, 0.0, 1.0))
    for _ in range(5):
        observe(policy, np.arange(400), rates, responses=16)
    drawn = np.concatenate([policy.draw(20) for _ in range(20)])
    assert (drawn % 4 == 0).mean() > 0.7
    blind = make_policy("posterior", {"only": 400}, floor=1.0, candidates=4)
    for _ in range(5):
        observe(blind, np.arange(400), rates, responses=16)
    drawn = np.concatenate([blind.draw(20) for _ in range(20)])
    assert (drawn % 4 == 0).mean() == pytest.approx(0.25, abs=0.08)


def test_a_share_of_the_floor_is_kept_blindly_inside_a_bucket(make_policy):
    policy = make_policy("posterior", {"only": 800}, floor=0.5, candidates=4)
    rates = np.where(np.arange(800) % 2 == 0, 0.5, 0.0)
    for _ in range(10):
        observe(policy, np.arange(800), rates, responses=16)
    drawn = np.concatenate([policy.draw(40) for _ in range(40)])
    assert (drawn % 2 == 0).mean() == pytest.approx(0.75, abs=0.07)


def test_rarely_seen_prompts_borrow_from_their_bucket(make_policy):
    """Unseen prompts of a bucket at the target beat seen ones that never pass, and so with the roles exchanged."""
    policy = make_policy("posterior", {"only": 400}, floor=0.0)
    for _ in range(10):
        observe(policy, np.arange(0, 400, 4), [0.5] * 100)
        observe(policy, np.arange(1, 400, 4), [0.0] * 100)
    kinds = np.bincount(np.concatenate([policy.draw(20) for _ in range(20)]) % 4, minlength=4)
    assert kinds[1] < kinds[2] / 2
    solved = make_policy("posterior", {"only": 400}, floor=0.0)
    for _ in range(10):
        observe(solved, np.arange(0, 400, 4), [1.0] * 100)
        observe(solved, np.arange(1, 400, 16), [0.5] * 25)
    kinds = np.bincount(np.concatenate([solved.draw(20) for _ in range(20)]) % 16, minlength=16)
    assert kinds[1] > 2 * kinds[2]


def test_the_pooled_prior_by_hand(make_policy):
    policy = make_policy("posterior", {"only": 4}, strength=8.0)
    observe(policy, [0], [0.75], responses=4)
    wins, losses = policy._beta(np.array([0, 1]), np.array([0, 0]))
    rate = (3 + 3) / (6 + 4)
    assert wins == pytest.approx([3 + 8 * rate, 8 * rate])
    assert losses == pytest.approx([1 + 8 * (1 - rate), 8 * (1 - rate)])


def test_evidence_is_halved_every_half_life(make_policy):
    policy = make_policy("posterior", {"only": 4}, half_life=10.0)
    observe(policy, [0], [0.75], responses=4)
    for _ in range(10):
        observe(policy, [1], [1.0], responses=4)
    wins, losses = policy._evidence(np.array([0]))
    assert (wins[0], losses[0]) == (pytest.approx(1.5), pytest.approx(0.5))


def test_offline_pass_rates_are_the_prior(make_policy):
    rates = np.concatenate([np.full(300, 0.9), np.tile([0.2, 0.5, 0.8], 100), np.full(300, math.nan)])
    policy = make_policy("posterior", BUCKETS, pass_rate=rates, floor=0.0, stretch=0.0)
    assert policy.metrics() == {
        "rate/easy": pytest.approx((1 + 4 * 0.9) / 6, abs=1e-3),
        "rate/medium": pytest.approx(0.5, abs=1e-3),
        "rate/hard": 0.5,
    }
    wins, losses = policy._beta(np.array([300, 301, 302, 600]), np.array([1, 1, 1, 2]))
    assert wins / (wins + losses) == pytest.approx([0.2, 0.5, 0.8, 0.5], abs=2e-3)
    strong = make_policy("posterior", BUCKETS, pass_rate=rates, floor=0.0, strength=50.0, mix={"medium": 1.0})
    drawn = np.concatenate([strong.draw(20) for _ in range(20)])
    assert ((drawn - 300) % 3 == 1).mean() > 0.6


def test_prompts_move_with_their_bucket_on_the_logit_scale(make_policy):
    policy = make_policy("posterior", {"only": 30}, pass_rate=[0.2, 0.5, 0.8] * 10, bucket_decay=0.0)
    for _ in range(40):
        observe(policy, np.arange(3, 30), [0.75] * 27)
    bucket = policy.metrics()["rate/only"]
    wins, losses = policy._beta(np.array([0, 1, 2]), np.zeros(3, dtype=int))
    shift = math.log(bucket / (1 - bucket))
    expected = [1 / (1 + math.exp(-(math.log(p / (1 - p)) + shift))) for p in (0.2, 0.5, 0.8)]
    assert wins / (wins + losses) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_thousands_of_steps_of_one_outcome_do_no_harm(make_policy, score):
    policy = make_policy("posterior", BUCKETS, bucket_decay=0.5, half_life=1.0)
    with np.errstate(all="raise", under="ignore"):
        for _ in range(4000):
            observe(policy, [0, 300, 600, 0], [score] * 4, responses=1)
        assert len(np.unique(policy.draw(64))) == 64
    assert all(0 <= rate <= 1 for rate in policy.metrics().values())
    assert np.isfinite(policy.shares(10)).all()
    for _ in range(30):
        observe(policy, [0, 300, 600], [1.0 - score] * 3)
    assert all(abs(rate - score) > 0.5 for rate in policy.metrics().values())


def test_no_prompt_comes_twice_into_a_batch_that_its_bucket_can_fill(make_policy):
    policy = make_policy("posterior", {"a": 20, "b": 30})
    for _ in range(50):
        drawn = policy.draw(16)
        assert len(np.unique(drawn)) == 16


def test_groups_of_one_prompt_in_one_step_add_up(make_policy):
    apart, together = (make_policy("posterior", {"only": 4}) for _ in range(2))
    observe(apart, [2, 2, 1], [1.0, 0.5, 0.0], responses=2)
    together.observe(np.array([1, 2]), summarise([[0.0, 0.0], [1.0, 1.0, 1.0, 0.0]], 0.5))
    assert np.array(apart._evidence(np.arange(4))).tolist() == np.array(together._evidence(np.arange(4))).tolist()
    assert apart._evidence(np.array([2]))[0] == 3.0


def test_state_round_trip(make_policy, through_json):
    policy, other = (make_policy("posterior", BUCKETS, pass_rate=[0.5] * 900) for _ in range(2))
    teach(policy, [0.9, 0.6, 0.2], steps=3)
    policy.draw(30)
    saved = through_json(policy.state_dict())
    other.load_state_dict(saved)
    other.pools.load_state_dict(through_json(policy.pools.state_dict()))
    for _ in range(5):
        drawn = policy.draw(30)
        assert other.draw(30).tolist() == drawn.tolist()
        for each in (policy, other):
            observe(each, drawn, [0.25] * 30)
    assert other.metrics() == policy.metrics()


def test_a_state_is_a_snapshot(make_policy):
    policy, other = (make_policy("posterior", {"only": 4}) for _ in range(2))
    snapshot = policy.state_dict()
    observe(policy, [2], [1.0])
    other.load_state_dict(snapshot)
    assert other._evidence(np.arange(4))[0].tolist() == [0.0] * 4
    observe(other, [2], [1.0])
    other.load_state_dict(snapshot)
    assert other._evidence(np.arange(4))[0].tolist() == [0.0] * 4
