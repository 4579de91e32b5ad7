import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curriculum_verl.curriculum.admission import Admission
from curriculum_verl.curriculum.feedback import summarise
from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.curriculum.policies import POLICIES, find_policy
from curriculum_verl.errors import ConfigError, InputError

PARAMETERS = {"gaussian": {"steps": 20}}
BUCKETS = {"a": 12, "b": 30, "c": 5, "d": 40}

OWN = '''
from collections.abc import Sequence

import numpy as np


class Last:
    """Always the last prompts."""

    def __init__(self, pools, *, shift: int = 0, rates: tuple[float, ...] = (), tags: list[str] = []):
        self.pools, self.shift, self.rates, self.tags = pools, shift, rates, tags

    def begin_stage(self, mix, floors):
        self.mix = mix

    def draw(self, n):
        return np.arange(len(self.pools.index) - n, len(self.pools.index)) - self.shift

    def observe(self, prompts, rewards):
        pass

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass

    def metrics(self):
        return {}


class Half:
    def draw(self, n):
        return []
'''


def block(policy):
    return {"stages": [{"name": "only", "mix": {"a": 1.0}}], "policy": policy}


def rewards_for(prompts, seed):
    return summarise(np.random.default_rng(seed).integers(0, 2, (len(prompts), 4)).astype(float), 0.5)


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_names_its_source_and_formula_and_is_built_by_name(make_policy, name):
    assert find_policy(name) is POLICIES[name]
    assert len(inspect.getdoc(POLICIES[name]).splitlines()) > 0
    assert type(make_policy(name, BUCKETS, **PARAMETERS.get(name, {}))) is POLICIES[name]


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("admitting", [False, True])
def test_every_draw_has_n_valid_rows_of_the_stages_buckets(make_policy, name, admitting):
    admission = Admission(87, 0, retry_after=5.0, min_chance=0.05) if admitting else None
    mix = {"b": 0.7, "c": 0.3}
    policy = make_policy(name, BUCKETS, mix=mix, admission=admission, **PARAMETERS.get(name, {}))
    for step, n in enumerate([1, 1, 1, 7, 32, 200, 1, 64]):
        prompts = policy.draw(n)
        assert prompts.shape == (n,)
        assert prompts.dtype == np.int64
        assert set(policy.pools.index.bucket_of(prompts)) <= {1, 2}
        rewards = rewards_for(prompts, step)
        policy.observe(prompts, rewards)
        if admission is not None:
            admission.observe(prompts, rewards.informative)


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=15)
@given(st.tuples(*[st.integers(0, 3)] * 4).filter(any), st.tuples(*[st.integers(0, 3)] * 4), st.data())
def test_floors_hold_and_only_their_buckets_join(make_policy, counted, name, weights, parts, data):
    mix = {b: w / sum(weights) for b, w in zip(BUCKETS, weights, strict=True)}
    total = data.draw(st.sampled_from([0.1, 0.5, 0.9]))
    floors = {b: total * w / (sum(parts) or 1) for b, w in zip(BUCKETS, parts, strict=True)}
    policy = make_policy(name, BUCKETS, mix=mix, floors=floors, **PARAMETERS.get(name, {}))
    drawn = np.zeros(4)
    for step in range(6):
        prompts = policy.draw(50)
        counts = counted(policy, prompts)
        assert all(count > 50 * floors[b] - 1 for b, count in zip(BUCKETS, counts, strict=True))
        assert all(count == 0 for b, count in zip(BUCKETS, counts, strict=True) if not mix[b] and not floors[b])
        drawn += counts
        policy.observe(prompts, rewards_for(prompts, step))
    assert np.all(drawn >= [300 * floor - 4 for floor in floors.values()])


@pytest.mark.parametrize("name", POLICIES)
def test_the_same_seed_draws_the_same_and_another_does_not(make_policy, name):
    def play(seed):
        policy = make_policy(name, BUCKETS, seed=seed, **PARAMETERS.get(name, {}))
        drawn = []
        for step in range(5):
            prompts = policy.draw(8)
            policy.observe(prompts, rewards_for(prompts, step))
            drawn.extend(prompts.tolist())
        return drawn

    assert play(1) == play(1)
    assert play(1) != play(2)


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_resumes_at_every_step(make_policy, through_json, name):
    def build():
        return make_policy(name, BUCKETS, mix={"a": 0.5, "d": 0.5}, floors={"b": 0.1}, **PARAMETERS.get(name, {}))

    whole, parts = build(), build()
    for step in range(12):
        saved, pools = through_json(parts.state_dict()), through_json(parts.pools.state_dict())
        parts = build()
        parts.load_state_dict(saved)
        parts.pools.load_state_dict(pools)
        prompts = whole.draw(7)
        assert parts.draw(7).tolist() == prompts.tolist()
        for policy in (whole, parts):
            policy.observe(prompts, rewards_for(prompts, step))
        assert parts.metrics() == whole.metrics()
        assert all(isinstance(value, float) for value in whole.metrics().values())


def test_a_users_policy_by_dotted_path(user_module, make_policy):
    module = user_module("own_policy_good", OWN)
    policy = make_policy(f"{module}:Last", BUCKETS, shift=2)
    assert policy.draw(3).tolist() == [82, 83, 84]
    config = load_config(block({"name": f"{module}:Last", "shift": 2, "rates": [0.5, 1]}))
    assert config.policy.parameters == {"shift": 2, "rates": (0.5, 1.0)}


def test_a_users_parameters_are_checked_like_ours(user_module):
    module = user_module("own_policy_checked", OWN)
    with pytest.raises(ConfigError) as caught:
        load_config(block({"name": f"{module}:Last", "shitf": 2, "shift": "x"}))
    assert caught.value.problems == [
        "curriculum.policy.shitf: unknown key 'shitf', expected one of shift, rates, tags; did you mean 'shift'?",
        "curriculum.policy.shift: got the text 'x', expected a whole number",
    ]


def test_a_users_parameter_may_be_a_list(user_module):
    module = user_module("own_policy_list", OWN)
    config = load_config(block({"name": f"{module}:Last", "tags": ["x", "y"]}))
    assert list(config.policy.parameters["tags"]) == ["x", "y"]


def test_a_users_class_that_is_no_policy_is_refused(user_module):
    module = user_module("own_policy_half", OWN)
    missing = "begin_stage, observe, state_dict, load_state_dict, metrics"
    with pytest.raises(InputError, match=f"policy {module}:Half lacks {missing}; see .*Policy"):
        find_policy(f"{module}:Half")


def test_annotations_that_cannot_be_resolved_are_no_traceback(user_module):
    """`if TYPE_CHECKING: import` is how annotated code avoids imports; at run time the names do not exist."""
    source = "from __future__ import annotations\n" + OWN.replace("pools, *,", "pools: Pools, *,")
    module = user_module("own_policy_late", source)
    config = load_config(block({"name": f"{module}:Last", "shift": 2}))
    assert config.policy.parameters == {"shift": 2}


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(InputError) as caught:
        find_policy("postrior")
    assert str(caught.value) == (
        f"unknown policy 'postrior', expected one of {', '.join(POLICIES)}; did you mean 'posterior'?"
        "; your own is written package.module:Class"
    )
