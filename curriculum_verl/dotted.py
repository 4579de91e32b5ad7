"""What a user names by dotted path: their own metric, policy or reward component."""

import importlib
from collections.abc import Callable
from typing import Any

from curriculum_verl.errors import InputError


def load_dotted(path: str) -> Callable[..., Any]:
    """The callable at `package.module:name`."""
    module_name, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (Exception, SystemExit) as error:  # importing runs the user's module, which may fail in any way
        reason = f"{type(error).__name__}: {error}"
        expected = "expected package.module:name, importable from here"
        raise InputError(f"{path}: cannot be imported ({reason}); {expected}") from error
    if not callable(found):
        raise InputError(f"{path}: got {type(found).__name__}, expected something that can be called")
    loaded: Callable[..., Any] = found
    return loaded
