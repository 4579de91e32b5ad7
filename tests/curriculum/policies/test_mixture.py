import numpy as np
from hypothesis import given
from hypothesis import strategies as st

BUCKETS = {"a": 40, "b": 7, "c": 23}


@given(
    st.tuples(*[st.integers(0, 10)] * 3).filter(any),
    st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=1, max_size=10),
)
def test_exact_shares_and_no_prompt_twice_before_its_bucket_is_exhausted(
    make_policy, counted, through_json, weights, batches
):
    mix = {bucket: weight / sum(weights) for bucket, weight in zip(BUCKETS, weights, strict=True)}
    policy = make_policy("mixture", BUCKETS, mix=mix)
    walks = [[], [], []]
    for n, resume in batches:
        if resume:
            saved, pools = through_json(policy.state_dict()), through_json(policy.pools.state_dict())
            policy = make_policy("mixture", BUCKETS, mix=mix)
            policy.load_state_dict(saved)
            policy.pools.load_state_dict(pools)
        prompts = policy.draw(n)
        counts = counted(policy, prompts)
        assert sum(counts) == n
        assert all(abs(count - n * share) < 1 for count, share in zip(counts, mix.values(), strict=True))
        for walk, part in zip(walks, np.split(prompts, np.cumsum(counts)[:-1]), strict=True):
            walk.extend(part.tolist())
    for walk, size in zip(walks, BUCKETS.values(), strict=True):
        for start in range(0, len(walk), size):
            assert len(set(walk[start : start + size])) == len(walk[start : start + size])


def test_what_is_owed_survives_a_resume_but_not_a_stage(make_policy, counted, through_json):
    mix = {"a": 0.5, "b": 0.3, "c": 0.2}
    policy = make_policy("mixture", BUCKETS, mix=mix)
    policy.draw(1)
    other = make_policy("mixture", BUCKETS, mix=mix)
    other.load_state_dict(through_json(policy.state_dict()))
    assert [counted(other, other.draw(1)) for _ in range(9)] == [counted(policy, policy.draw(1)) for _ in range(9)]
    policy.draw(3)
    policy.begin_stage(np.array([0.0, 1.0, 0.0]), np.zeros(3))
    assert policy.state_dict() == {"owed": [0.0, 0.0, 0.0]}


def test_single_prompts_add_up_to_the_mix(make_policy, counted):
    policy = make_policy("mixture", BUCKETS, mix={"a": 0.5, "b": 0.3, "c": 0.2})
    assert counted(policy, np.concatenate([policy.draw(1) for _ in range(100)])) == [50, 30, 20]
