"""The arms: what is said to verl beside the recipe that an arm names."""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from examples.demo.training import RECIPES

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Arm:
    """A shipped recipe, the number of buckets that it is made for, and overrides of it.

    Arms are compared with the best `baseline`; one that goes on does so beyond the budget, to be seen arriving late.
    """

    name: str
    words: str
    recipe: str
    buckets: int = 3
    baseline: bool = False
    goes_on: bool = False
    overrides: list[str] = field(default_factory=list)

    @property
    def written(self) -> str:
        """A mark of its recipe, and of what all recipes share; comments do not count."""
        told = [yaml.safe_load((RECIPES / f"{name}.yaml").read_text()) for name in ("_base", self.recipe)]
        return sha256(json.dumps(told).encode()).hexdigest()[:16]


def read_arms() -> dict[str, Arm]:
    """All arms by name, the baselines first."""
    given: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "arms.yaml").read_text())
    return {name: Arm(name, **arm) for name, arm in given.items()}


def read_sizes() -> list[str]:
    """Overrides that all arms share; an arm's own come after them."""
    sizes: dict[str, Any] = yaml.safe_load((HERE / "sizes.yaml").read_text())
    return [f"{key}={_hydra(value)}" for key, value in sizes.items()]


def _hydra(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
