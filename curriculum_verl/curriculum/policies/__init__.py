"""The policies by name, and how a recipe's `policy` block becomes one."""

from typing import Any

from curriculum_verl.curriculum.config import PolicyConfig
from curriculum_verl.curriculum.policies.bandit import Bandit
from curriculum_verl.curriculum.policies.base import Policy
from curriculum_verl.curriculum.policies.gaussian import Gaussian
from curriculum_verl.curriculum.policies.mixture import Mixture
from curriculum_verl.curriculum.policies.posterior import Posterior
from curriculum_verl.curriculum.policies.target_difficulty import TargetDifficulty
from curriculum_verl.curriculum.policies.uniform import Uniform
from curriculum_verl.curriculum.pools import Pools
from curriculum_verl.dotted import load_dotted
from curriculum_verl.errors import InputError, unknown_name

POLICIES: dict[str, type[Policy]] = {
    "uniform": Uniform,
    "mixture": Mixture,
    "target_difficulty": TargetDifficulty,
    "bandit": Bandit,
    "posterior": Posterior,
    "gaussian": Gaussian,
}

_METHODS = ("begin_stage", "draw", "observe", "state_dict", "load_state_dict", "metrics")


def find_policy(name: str) -> Any:
    """The class of a policy, by its name or as `package.module:Class`."""
    if name in POLICIES:
        return POLICIES[name]
    if ":" not in name:
        raise InputError(unknown_name("policy", name, POLICIES) + "; your own is written package.module:Class")
    cls = load_dotted(name)
    missing = [method for method in _METHODS if not callable(getattr(cls, method, None))]
    if missing:
        raise InputError(
            f"policy {name} lacks {', '.join(missing)}; see curriculum_verl.curriculum.policies.base.Policy"
        )
    return cls


def build_policy(config: PolicyConfig, pools: Pools) -> Policy:
    """The policy that a config names."""
    policy: Policy = find_policy(config.name)(pools, **config.parameters)
    return policy
