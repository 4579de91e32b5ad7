"""Values that left the sandbox, and when two of them are the same."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

_CLOSE = 1e-9  # relative and absolute: floats that differ in the last digits only


class Unreadable(ValueError):  # noqa: N818 - what it says of a value
    """A value that no program run by the sandbox writes by itself."""


def read_value(text: str | None) -> Any:
    """The value that a program's JSON stands for."""
    try:
        return _read(json.loads(text or ""))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Unreadable(str(error)) from error


_TAGS: dict[str, Callable[[Any], Any]] = {
    "int": lambda value: int(value, 16),
    "float": float,
    "complex": lambda value: complex(float(value[0]), float(value[1])),
    "bytes": bytes.fromhex,
    "tuple": lambda value: tuple(_read(item) for item in value),
    "set": lambda value: {_frozen(_read(item)) for item in value},
    "dict": lambda value: {_frozen(_read(key)): _read(item) for key, item in value},
}


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(item) for item in value]
    if isinstance(value, Mapping):
        ((tag, content),) = value.items()
        return _TAGS[tag](content)
    return value


def _frozen(value: Any) -> Any:
    """Sets, and what is in them, can be put into a set."""
    if isinstance(value, set):
        return frozenset(value)
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def same(got: Any, wanted: Any) -> bool:
    """Equal; tuples are lists, as in JSON, floats may differ in the last digits, and True is not 1."""
    if isinstance(got, bool) or isinstance(wanted, bool):
        return got is wanted
    if isinstance(got, int | float) and isinstance(wanted, int | float):
        return _same_number(got, wanted)
    if isinstance(got, list | tuple) and isinstance(wanted, list | tuple):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    if isinstance(got, dict) and isinstance(wanted, dict):
        return len(got) == len(wanted) and all(key in got and same(got[key], item) for key, item in wanted.items())
    return bool(got == wanted)


def _same_number(got: float, wanted: float) -> bool:
    if isinstance(got, int) and isinstance(wanted, int):
        return got == wanted
    try:
        return math.isclose(got, wanted, rel_tol=_CLOSE, abs_tol=_CLOSE)
    except OverflowError:
        return False
