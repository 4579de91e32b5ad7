import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curriculum_verl.curriculum.admission import Admission
from curriculum_verl.curriculum.config import PolicyConfig
from curriculum_verl.curriculum.feedback import summarise
from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.curriculum.policies import build_policy
from curriculum_verl.curriculum.pools import Pools

SIZES = {"a": 400, "b": 400, "c": 400}
RNG = np.random.default_rng(0)
DIFFICULTY = np.concatenate([RNG.permutation(400) + first for first in (0, 400, 800)]) / 1199


def make(make_policy, **given):
    return make_policy("target_difficulty", SIZES, **{"difficulty": DIFFICULTY} | given)


def feed(policy, score):
    policy.observe(np.array([0]), summarise([[score, score]], 0.5))


def step(policy, n):
    """A batch, and an observation that leaves the target where it is."""
    drawn = policy.draw(n)
    feed(policy, 0.5)
    return drawn


def test_the_rule_by_hand(make_policy):
    policy = make(make_policy, step_size=0.1, sensitivity=3.0, target=0.6, start=0.5)
    level = 0.5
    for score in (1.0, 0.6, 0.0, 0.9):
        feed(policy, score)
        level = min(1.0, max(0.0, level + 0.1 * math.tanh(3 * (score - 0.6))))
        assert policy.metrics() == {"target": pytest.approx(level)}


def test_the_step_is_scaled_to_the_range_of_difficulties(make_policy):
    policy = make_policy("target_difficulty", {"a": 3}, difficulty=[10.0, 20.0, 30.0], step_size=0.1, sensitivity=2.0)
    assert policy.metrics() == {"target": 10.0}
    feed(policy, 1.0)
    assert policy.metrics()["target"] == pytest.approx(10 + 2 * math.tanh(1.0))


def test_the_target_stays_within_the_data(make_policy):
    policy = make(make_policy)
    feed(policy, 0.0)
    assert policy.metrics() == {"target": 0.0}
    for _ in range(100):
        feed(policy, 1.0)
    assert policy.metrics() == {"target": 1.0}


def test_the_score_is_the_mean_of_the_step(make_policy):
    policy, other = make(make_policy, start=0.5), make(make_policy, start=0.5)
    policy.observe(np.arange(3), summarise([[1.0, 0.0], [1.0, 1.0], [0.5, 0.5]], 0.5))
    feed(other, 2 / 3)
    assert policy.metrics()["target"] == pytest.approx(other.metrics()["target"])


@pytest.mark.parametrize("start", [0.0, 0.1, 1 / 3, 0.5, 0.77, 1.0])
def test_picks_the_nearest_to_the_target(make_policy, start):
    policy = make(make_policy, start=start, spread=8)
    n = 32
    nearest = np.sort(np.abs(DIFFICULTY - start))
    for _ in range(20):
        distance = np.abs(DIFFICULTY[step(policy, n)] - start)
        # One prompt of each of n blocks of 8 about the target, and one block of slack.
        assert distance.max() <= nearest[(n + 1) * 8] + 1e-6
        assert distance.mean() <= nearest[: n * 8].mean() * 1.2


def test_with_a_spread_of_one_it_is_the_rule_of_the_paper(make_policy):
    policy = make(make_policy, start=0.42, spread=1)
    expected = np.argsort(np.abs(DIFFICULTY - 0.42), kind="stable")[:50]
    assert np.abs(DIFFICULTY[policy.draw(50)] - 0.42).max() <= np.abs(DIFFICULTY[expected] - 0.42).max() + 1 / 1199


def test_a_target_that_stands_still_does_not_repeat_its_batch(make_policy):
    policy = make(make_policy, start=0.5, spread=8)
    batches = [step(policy, 16) for _ in range(8)]
    assert len(np.unique(np.concatenate(batches))) == 8 * 16


def test_prompts_asked_for_one_at_a_time_are_those_of_the_whole_batch(make_policy):
    single, whole = make(make_policy, start=0.5), make(make_policy, start=0.5)
    for _ in range(3):
        one_by_one = np.concatenate([single.draw(1) for _ in range(64)])
        batch = whole.draw(64)
        assert len(np.unique(one_by_one)) == 64
        near = [np.abs(DIFFICULTY[drawn] - 0.5).mean() for drawn in (one_by_one, batch)]
        assert near[0] == pytest.approx(near[1], abs=0.01)
        for policy in (single, whole):
            feed(policy, 0.5)


def test_batches_drawn_ahead_do_not_repeat(make_policy):
    policy = make(make_policy, start=0.5)
    assert len(np.unique(np.concatenate([policy.draw(16) for _ in range(9)]))) == 144


def test_every_prompt_of_the_neighbourhood_comes(make_policy):
    policy = make(make_policy, start=0.5, spread=8, mix={"b": 1.0})
    drawn = np.concatenate([step(policy, 16) for _ in range(8)])
    near = np.flatnonzero(np.abs(DIFFICULTY - 0.5) < 56 / 1199)
    assert set(near) <= set(drawn.tolist())


def test_equally_hard_prompts_are_used_up_before_one_repeats(make_policy):
    policy = make_policy("target_difficulty", {"a": 1000, "b": 1000}, mix={"a": 1.0})
    drawn = np.concatenate([step(policy, 16) for _ in range(50)])
    assert len(np.unique(drawn)) == 800


@pytest.mark.parametrize("easier", [0, 1, 7, 8, 9, 150])
def test_so_are_those_beside_which_easier_ones_lie(make_policy, easier):
    difficulty = RNG.permutation([0.0] * easier + [1.0] * (1000 - easier))
    policy = make_policy("target_difficulty", {"a": 1000}, difficulty=difficulty, start=1.0)
    drawn = np.concatenate([step(policy, 16) for _ in range(50)])
    assert len(np.unique(drawn)) == 800
    assert (difficulty[drawn] == 1.0).all()


def test_the_target_survives_a_resume(make_policy, through_json):
    policy, other = make(make_policy), make(make_policy)
    for score in (1.0, 0.9, 0.2, 1.0):
        policy.draw(16)
        feed(policy, score)
    saved = through_json(policy.state_dict())
    other.load_state_dict(saved)
    other.pools.load_state_dict(through_json(policy.pools.state_dict()))
    assert other.metrics() == policy.metrics() != make(make_policy).metrics()
    for _ in range(10):
        assert other.draw(16).tolist() == policy.draw(16).tolist()
        feed(policy, 0.7)
        feed(other, 0.7)


def test_a_draw_asks_for_the_target_when_it_is_made(make_policy):
    policy = make(make_policy)
    before = DIFFICULTY[policy.draw(16)].mean()
    for _ in range(60):
        feed(policy, 1.0)
    assert before < 0.2
    assert DIFFICULTY[policy.draw(16)].mean() > 0.8


def test_without_difficulties_a_prompt_is_as_hard_as_its_bucket(make_policy, counted):
    for start, bucket in ((0.0, 0), (0.9, 1), (1.8, 2), (2.0, 2)):
        policy = make(make_policy, difficulty=None, start=start)
        counts = counted(policy, policy.draw(20))
        assert counts[bucket] == 20


def test_admission_keeps_out_what_gave_no_signal(make_policy):
    admission = Admission(1200, 0, retry_after=1e6, min_chance=1e-6)
    admission.observe(np.arange(0, 1200, 2), np.zeros(600, dtype=bool))
    policy = make(make_policy, admission=admission, start=0.5)
    drawn = np.concatenate([step(policy, 16) for _ in range(20)])
    assert (drawn % 2 == 1).mean() > 0.9
    assert policy.pools.metrics()["skipped/b"] > 100


def test_a_draw_larger_than_the_data_repeats_as_little_as_it_must(make_policy):
    policy = make_policy("target_difficulty", {"a": 5, "b": 5}, difficulty=list(range(10)))
    assert set(np.bincount(policy.draw(20), minlength=10)) <= {1, 2, 3}


@settings(max_examples=60)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 120), st.integers(0, 9), st.data())
def test_every_draw_is_full_and_valid(make_policy, sizes, n, spread, data):
    buckets = {f"b{i}": size for i, size in enumerate(sizes)}
    difficulty = data.draw(st.lists(st.integers(-3, 3), min_size=sum(sizes), max_size=sum(sizes)))
    policy = make_policy(
        "target_difficulty",
        buckets,
        difficulty=difficulty,
        start=float(data.draw(st.integers(-4, 4))),
        spread=spread + 1,
    )
    for _ in range(4):
        prompts = policy.draw(n)
        assert len(prompts) == n
        assert prompts.min() >= 0
        assert prompts.max() < sum(sizes)
        feed(policy, 1.0)


@settings(max_examples=80)
@given(st.integers(2, 60), st.integers(1, 9), st.data())
def test_no_prompt_comes_twice_into_a_batch_that_its_bucket_can_fill(make_policy, size, spread, data):
    n = data.draw(st.integers(1, size))
    difficulty = data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    policy = make_policy("target_difficulty", {"only": size}, difficulty=difficulty, spread=spread, start=1.0)
    for _ in range(6):
        assert len(np.unique(policy.draw(n))) == n


def test_the_target_stays_within_what_the_stage_holds():
    index = PromptIndex.build({"easy": 50, "hard": 50}, difficulty=np.linspace(0, 10, 100))
    policy = build_policy(PolicyConfig("target_difficulty"), Pools(index, 0))
    policy.begin_stage(np.array([1.0, 0.0]), np.zeros(2))
    for _ in range(100):
        policy.observe(np.arange(8), summarise(np.ones((8, 2)), 0.5))
    assert policy.metrics()["target"] == pytest.approx(float(index.difficulty[49]))
    policy.begin_stage(np.array([0.0, 1.0]), np.zeros(2))
    assert policy.metrics()["target"] == pytest.approx(float(index.difficulty[50]))


@pytest.mark.parametrize("seed", range(20))
def test_a_bucket_that_has_enough_is_not_repeated_in_a_draw_even_if_a_floor_takes_much_of_it(make_policy, seed):
    buckets = {"easy": 30, "hard": 400}
    policy = make_policy(
        "target_difficulty", buckets, mix={"hard": 1.0}, floors={"easy": 0.2}, seed=seed, difficulty=np.arange(430.0)
    )
    for _ in range(10):
        prompts = policy.draw(50)
        assert len(set(prompts.tolist())) == 50
        policy.observe(prompts, summarise(np.full((50, 2), 0.5), 0.5))
