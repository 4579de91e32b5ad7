"""Reading a task's own data, whatever Parquet, pandas or JSON have made of it."""

import difflib
import json
import math
from collections.abc import Collection, Mapping
from typing import Any

from curriculum_verl.errors import InputError


def plain(value: Any) -> Any:
    """NumPy arrays as lists, whole floats as whole numbers, NaN as nothing: what the data meant."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def from_json(value: Any, what: str) -> Any:
    """The value, or what its text says in JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what}: got {value[:60]!r}, expected JSON ({error})") from error


def mapping_in(value: Any, what: str, example: str) -> Mapping[str, Any]:
    """The value, or what its text says in JSON, as a mapping."""
    value = from_json(value, what)
    if not isinstance(value, Mapping):
        raise InputError(f"{what}: got {type(value).__name__}, expected {example}")
    return value


def unknown_of_many(what: str, got: str, known: Collection[str]) -> str:
    """The message for a name that is not among more known ones than anybody would read."""
    near = difflib.get_close_matches(got, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it is none of the {len(known)} known ones"
    return f"unknown {what} {got!r}; {hint}"
