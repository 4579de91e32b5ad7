"""Fixtures for the engine's tests."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from curriculum_verl.curriculum.config import PolicyConfig
from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.curriculum.policies import build_policy
from curriculum_verl.curriculum.pools import Pools


@pytest.fixture(scope="session")
def make_policy() -> Callable[..., Any]:
    """Builds a policy on buckets, in a stage with a mix (by default, all buckets alike) and floors."""

    def make(
        name, buckets, *, mix=None, floors=None, seed=0, admission=None, difficulty=None, pass_rate=None, **parameters
    ):
        index = PromptIndex.build(buckets, difficulty=difficulty, pass_rate=pass_rate)
        policy = build_policy(PolicyConfig(name, parameters), Pools(index, seed, admission))
        mix = {bucket: 1 / len(buckets) for bucket in buckets} if mix is None else mix
        policy.begin_stage(index.by_bucket(mix), index.by_bucket(floors or {}))
        return policy

    return make


@pytest.fixture(scope="session")
def counted() -> Callable[..., list[int]]:
    """How many of the prompts lie in each bucket of a policy's index."""

    def count(policy, prompts) -> list[int]:
        index = policy.pools.index
        return np.bincount(index.bucket_of(prompts), minlength=len(index.names)).tolist()

    return count
