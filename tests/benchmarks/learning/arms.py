"""The arms: what is said to verl beside the recipe that an arm names."""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from inspect import signature
from pathlib import Path
from typing import Any

import yaml

from curriculum_verl.curriculum.policies import find_policy
from examples.demo.training import RECIPES

DEFAULT = "posterior"  # the policy that is recommended, and judged by goals
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Arm:
    """A shipped recipe, the number of buckets that it is made for, a policy in place of its own, and overrides of it.

    Arms are compared with the best `baseline`; one that goes on does so beyond the budget, to be seen arriving late.
    """

    name: str
    words: str
    recipe: str
    buckets: int = 3
    baseline: bool = False
    goes_on: bool = False
    policy: dict[str, Any] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)

    @property
    def told(self) -> list[str]:
        """What is said on the command line."""
        policy = [f"+curriculum.policy.{name}={value}" for name, value in self.policy.items()]
        return [*(["~curriculum.policy", *policy] if policy else ()), *self.overrides]

    @property
    def written(self) -> str:
        """A mark of its recipe, and of what all recipes share; comments do not count."""
        told = [_recipe(name) for name in ("_base", self.recipe)]
        return sha256(json.dumps(told).encode()).hexdigest()[:16]

    @property
    def decided_by(self) -> dict[str, Any]:
        """Its policy with every parameter, for with other defaults it would be another."""
        chosen = self.policy or _recipe(self.recipe)["curriculum"]["policy"]
        parameters = signature(find_policy(chosen["name"])).parameters.values()
        return {one.name: one.default for one in parameters if one.default is not one.empty} | chosen


def _recipe(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((RECIPES / f"{name}.yaml").read_text())
    return found


def read_arms() -> dict[str, Arm]:
    """All arms by name, the baselines first."""
    given: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "arms.yaml").read_text())
    return {name: Arm(name, **arm) for name, arm in given.items()}


def read_sizes() -> list[str]:
    """Overrides that all arms share; an arm's own come after them."""
    return [f"{key}={_hydra(value)}" for key, value in _sizes().items()]


def told_all() -> str:
    """The size of a batch and the learning rate of an arm that says nothing of them."""
    sizes = _sizes()
    prompts, responses = sizes["data.train_batch_size"], sizes["actor_rollout_ref.rollout.n"]
    batch = f"{prompts} prompts a batch, {responses} responses each"
    return f"Arms that say nothing else have {batch}, learning rate {sizes['actor_rollout_ref.actor.optim.lr']}:"


def _sizes() -> dict[str, Any]:
    sizes: dict[str, Any] = yaml.safe_load((HERE / "sizes.yaml").read_text())
    return sizes


def _hydra(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
