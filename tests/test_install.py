"""The base install is light: nothing in it pulls in, or moves, somebody's torch, verl, ray or vllm."""

import re
from importlib.metadata import PackageNotFoundError, requires

HEAVY = {
    "torch",
    "verl",
    "vllm",
    "ray",
    "transformers",
    "tensordict",
    "peft",
    "accelerate",
    "datasets",
    "pandas",
    "gradio",
}


def base_requirements(package: str, seen: set[str]) -> set[str]:
    """The names of everything that installing the package, without extras, asks for."""
    try:
        lines = requires(package) or []
    except PackageNotFoundError:
        return seen  # asked for on other platforms only
    for line in lines:
        name = re.split(r"[\s;<>=!~\[(]", line)[0].lower()
        if "extra ==" not in line and name not in seen:
            base_requirements(name, seen | {name})
            seen.add(name)
            seen |= base_requirements(name, seen)
    return seen


def test_the_base_install_asks_for_nothing_heavy() -> None:
    asked = base_requirements("curriculum-verl", set())
    assert {"numpy", "msgspec", "pyarrow", "pyyaml", "tqdm"} <= asked
    assert not asked & HEAVY
    assert len(asked) < 20


def test_the_search_would_find_a_heavy_requirement() -> None:
    assert "omegaconf" in base_requirements("hydra-core", set())
