"""Libraries that only some verifiers need."""

import importlib
from typing import Any

from curriculum_verl.errors import InputError


def optional(name: str) -> Any:
    """The module of this name; where it is missing, what to install."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        wanted = error.name or name
        raise InputError(f"{wanted} is not installed; pip install 'curriculum-verl[rewards]'") from error
