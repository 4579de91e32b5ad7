import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.curriculum.admission import Admission
from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.curriculum.pools import Pools

SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=4)


def make(sizes, seed=0, admission=None):
    index = PromptIndex.build({f"b{number}": size for number, size in enumerate(sizes)})
    return Pools(index, seed, admission)


@given(SIZES, st.integers(0, 2**32), st.data())
def test_no_prompt_comes_twice_before_its_bucket_is_exhausted(through_json, sizes, seed, data):
    takes = data.draw(st.lists(st.lists(st.integers(0, 40), min_size=len(sizes), max_size=len(sizes)), max_size=12))
    resumes = data.draw(st.lists(st.booleans(), min_size=len(takes), max_size=len(takes)))
    pools = make(sizes, seed)
    walks = [[] for _ in sizes]
    for counts, resume in zip(takes, resumes, strict=True):
        if resume:
            state, pools = through_json(pools.state_dict()), make(sizes, seed)
            pools.load_state_dict(state)
        prompts = pools.take(np.array(counts))
        assert np.bincount(pools.index.bucket_of(prompts), minlength=len(sizes)).tolist() == counts
        for walk, part in zip(walks, np.split(prompts, np.cumsum(counts)[:-1]), strict=True):
            walk.extend(part.tolist())
    for bucket, walk in enumerate(walks):
        first, end = pools.index.offsets[bucket : bucket + 2]
        for start in range(0, len(walk), sizes[bucket]):
            epoch = walk[start : start + sizes[bucket]]
            assert len(set(epoch)) == len(epoch)
            assert all(first <= prompt < end for prompt in epoch)


def test_within_an_epoch_the_walk_does_not_depend_on_the_batch_size():
    parts, whole = make([30, 20]), make([30, 20])
    each = [parts.take(np.array([n, n])).reshape(2, n) for n in (1, 7, 3, 5, 4)]
    assert whole.take(np.array([20, 20])).tolist() == np.concatenate(each, axis=1).ravel().tolist()


@given(st.integers(1, 40), st.lists(st.integers(1, 20), min_size=1, max_size=20), st.integers(0, 99), st.booleans())
def test_a_batch_holds_a_prompt_once_if_its_bucket_has_enough(size, batches, seed, hopeless):
    admission = Admission(size, seed, retry_after=50, min_chance=0.01) if hopeless else None
    pools = make([size], seed, admission)
    for n in batches:
        prompts = pools.take(np.array([n]))
        assert len(np.unique(prompts)) == min(n, size) if n <= size else len(prompts) == n
        if admission is not None:
            admission.observe(prompts, np.zeros(n, dtype=bool))


def test_what_was_put_off_comes_with_the_next_batch():
    pools = make([10])
    walk = [pools.take(np.array([7])).tolist() for _ in range(10)]
    assert all(len(set(batch)) == 7 for batch in walk)
    drawn = [prompt for batch in walk for prompt in batch]
    assert all(sorted(drawn[start : start + 10]) == list(range(10)) for start in range(0, 70, 10))


def test_epochs_seeds_and_buckets_are_shuffled_differently():
    pools = make([20, 20])
    epochs = [tuple(pools.take(np.array([20, 0]))) for _ in range(5)]
    epochs += [tuple(pools.take(np.array([0, 20])) - 20) for _ in range(5)]
    epochs += [tuple(make([20, 20], seed).take(np.array([20, 0]))) for seed in range(1, 6)]
    assert len(set(epochs)) == 15
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)


def test_taking_nothing():
    assert make([3, 3]).take(np.array([0, 0])).tolist() == []


def test_metrics_by_hand():
    pools = make([4, 2])
    pools.take(np.array([2, 5]))
    assert pools.metrics() == {}
    assert pools.state_dict() == {"taken": [2, 5], "skipped": [0, 0], "put_off": [[], []]}


def hopeless(size, members):
    admission = Admission(size, 0, retry_after=1e6, min_chance=1e-6)
    admission.observe(np.array(members), np.zeros(len(members), dtype=bool))
    return admission


def test_admission_replaces_what_it_skips_in_the_same_bucket():
    pools = make([100, 100], admission=hopeless(200, np.arange(0, 200, 2)))
    prompts = pools.take(np.array([20, 10]))
    assert (prompts % 2 == 1).mean() > 0.9
    assert pools.index.bucket_of(prompts).tolist() == [0] * 20 + [1] * 10
    state, metrics = pools.state_dict(), pools.metrics()
    assert min(state["skipped"]) > 0
    assert [taken - skipped for taken, skipped in zip(state["taken"], state["skipped"], strict=True)] == [20, 10]
    assert metrics["skipped/b0"] == state["skipped"][0]


def test_a_hopeless_bucket_still_fills_the_batch():
    pools = make([10], admission=hopeless(10, np.arange(10)))
    assert len(pools.take(np.array([8]))) == 8
    assert pools.state_dict()["skipped"] == [32]


def test_round_trip_with_admission(through_json):
    def build():
        return make([50, 50], admission=hopeless(100, np.arange(0, 100, 3)))

    pools, other = build(), build()
    pools.take(np.array([7, 9]))
    other.load_state_dict(through_json(pools.state_dict()))
    other.admission.load_state_dict(through_json(pools.admission.state_dict()))
    for _ in range(10):
        assert other.take(np.array([5, 3])).tolist() == pools.take(np.array([5, 3])).tolist()


@pytest.mark.parametrize("size", [10**4, 10**8])
def test_state_does_not_grow_with_the_prompts(size):
    pools = make([size, size])
    assert len(set(pools.take(np.array([512, 512])).tolist())) == 1024
    assert pools.state_dict() == {"taken": [512, 512], "skipped": [0, 0], "put_off": [[], []]}
