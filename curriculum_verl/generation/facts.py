"""What says how responses came about, known before a model is loaded: model, backend and versions."""

from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from curriculum_verl import __version__
from curriculum_verl.generation.models import find_model
from curriculum_verl.generation.settings import BackendSettings

PACKAGES = {"hf": ("torch", "transformers", "peft"), "vllm": ("vllm", "torch", "transformers"), "openai": ()}
# What decides about a response. The rest says how fast it comes, or where and by whom it is asked for.
DECISIVE = {
    "hf": ("dtype", "device", "batch", "context", "threads", "template"),
    "vllm": ("dtype", "context", "template", "tensor_parallel"),
    "openai": ("template",),
}


def facts_of(settings: BackendSettings) -> dict[str, Any]:
    """Plain data."""
    given = asdict(settings)
    if settings.kind == "openai":
        model: dict[str, Any] = {"name": settings.model}
    else:
        model = find_model(settings.model, settings.base_model).facts()
    return {
        "backend": settings.kind,
        "model": model,
        "options": {name: given[name] for name in DECISIVE[settings.kind]},
        "versions": {"curriculum-verl": __version__, **versions(PACKAGES[settings.kind])},
    }


def versions(packages: tuple[str, ...]) -> dict[str, str | None]:
    """The version of each package, or None where there is none."""
    found: dict[str, str | None] = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
