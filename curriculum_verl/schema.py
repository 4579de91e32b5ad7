"""Reading plain data into typed dataclasses: every mistake is collected, with its path and what is accepted."""

import dataclasses
import inspect
import math
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from curriculum_verl.errors import ConfigError, unknown_name


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """What a number may be, written into its annotation."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    def admit(self, value: float) -> bool:
        """Whether the value is inside."""
        return not (
            (self.at_least is not None and value < self.at_least)
            or (self.above is not None and value <= self.above)
            or (self.at_most is not None and value > self.at_most)
            or (self.below is not None and value >= self.below)
        )

    def __str__(self) -> str:
        parts = ((">=", self.at_least), (">", self.above), ("<=", self.at_most), ("<", self.below))
        return " and ".join(f"{sign} {limit:g}" for sign, limit in parts if limit is not None)


Share = Annotated[float, Bounds(at_least=0, at_most=1)]
PartShare = Annotated[float, Bounds(at_least=0, below=1)]
OpenShare = Annotated[float, Bounds(above=0, below=1)]
Positive = Annotated[float, Bounds(above=0)]
NotNegative = Annotated[float, Bounds(at_least=0)]
NotPositive = Annotated[float, Bounds(at_most=0)]
Whole = Annotated[int, Bounds(at_least=0)]
Count = Annotated[int, Bounds(at_least=1)]
Name = Annotated[str, "a name"]


class Invalid:
    """Stands where a value could not be read; the reason is among the problems."""


INVALID = Invalid()


@dataclasses.dataclass(frozen=True, slots=True)
class Unresolved:
    """Stands where a source could not resolve its own value."""

    reason: str


Special = Callable[[Any, str], Any]


class Reader:
    """Reads values by type hint; `problems` fills up, nothing is raised. `special` reads the types it names itself."""

    def __init__(self, special: Mapping[Any, Special] | None = None):
        self.problems: list[str] = []
        self._special = special or {}

    def problem(self, path: str, message: str) -> Invalid:
        """Note a mistake; returns the mark that stands for the value."""
        self.problems.append(f"{path}: {message}")
        return INVALID

    def read(self, hint: Any, raw: Any, path: str) -> Any:
        """The value as the type that the hint names, or INVALID."""
        if isinstance(raw, Unresolved):
            return self.problem(path, f"cannot be resolved: {raw.reason}")
        if hint in self._special:
            return self._special[hint](raw, path)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._bounded(arguments[0], arguments[1], raw, path)
        if origin in (Union, types.UnionType):
            if raw is None and type(None) in arguments:
                return None
            return self.read(next(a for a in arguments if a is not type(None)), raw, path)
        if origin is Literal:
            choices = "one of " + ", ".join(map(repr, arguments))
            return raw if raw in arguments else self._not(raw, path, choices, arguments)
        if origin is dict:
            return self._mapping(arguments[1], raw, path)
        if origin is tuple:
            return self._sequence(arguments[0], raw, path)
        if dataclasses.is_dataclass(hint):
            return self.construct(hint, raw, path)
        return self._scalar(hint, raw, path)

    def construct(self, cls: Any, raw: Any, path: str) -> Any:
        """A dataclass from a mapping of its fields, or INVALID."""
        before = len(self.problems)
        arguments = self.arguments(cls, raw, path)
        if len(self.problems) > before:
            return INVALID
        try:
            return cls(**arguments)
        except ConfigError as error:  # what no single field can know
            self.problems += [f"{path}.{problem}" for problem in error.problems]
            return INVALID

    def arguments(self, target: Callable[..., Any], raw: Any, path: str, skip: Iterable[str] = ()) -> dict[str, Any]:
        """The arguments that a mapping gives to a class, by the names, types and defaults of its constructor."""
        if not isinstance(raw, Mapping):
            self._not(raw, path, "a mapping")
            return {}
        hints = _hints(target)
        parameters = {
            name: parameter for name, parameter in inspect.signature(target).parameters.items() if name not in skip
        }
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        parameters = {name: p for name, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        for key in raw:
            if key not in parameters and not takes_any:
                self.problem(f"{path}.{key}", unknown_name("key", str(key), parameters))
        for name, parameter in parameters.items():
            if raw.get(name) is None and parameter.default is parameter.empty:
                self.problem(f"{path}.{name}", "is missing")
        return {
            key: self.read(hints.get(key, Any), value, f"{path}.{key}")
            for key, value in raw.items()
            if value is not None and (key in parameters or takes_any)  # null: the default
        }

    def _bounded(self, hint: Any, bounds: Bounds | str, raw: Any, path: str) -> Any:
        value = self.read(hint, raw, path)
        if isinstance(bounds, str):
            return self._not(raw, path, bounds) if value == "" else value
        if value is not INVALID and not bounds.admit(value):
            kind = "a whole number" if hint is int else "a number"
            return self._not(raw, path, f"{kind} {bounds}")
        return value

    def _mapping(self, hint: Any, raw: Any, path: str) -> Any:
        if not isinstance(raw, Mapping):
            return self._not(raw, path, "a mapping")
        values = {str(key): self.read(hint, value, f"{path}.{key}") for key, value in raw.items()}
        return INVALID if any(value is INVALID for value in values.values()) else values

    def _sequence(self, hint: Any, raw: Any, path: str) -> Any:
        if not isinstance(raw, list | tuple):
            return self._not(raw, path, "a list")
        values = tuple(self.read(hint, value, f"{path}[{position}]") for position, value in enumerate(raw))
        return INVALID if any(value is INVALID for value in values) else values

    def _scalar(self, hint: Any, raw: Any, path: str) -> Any:
        if hint is float:
            return float(raw) if _is_number(raw) else self._not(raw, path, "a finite number")
        if hint is int:
            return int(raw) if _is_number(raw) and raw == int(raw) else self._not(raw, path, "a whole number")
        if hint is bool or hint is str:
            return raw if type(raw) is hint else self._not(raw, path, "text" if hint is str else "true or false")
        return raw  # a type of a user's own policy: its constructor knows what it takes

    def _not(self, raw: Any, path: str, expected: str, known: Iterable[Any] = ()) -> Invalid:
        near = unknown_name("", str(raw), map(str, known)).partition("; did you mean ")[2] if known else ""
        return self.problem(path, f"got {shown(raw)}, expected {expected}" + (f"; did you mean {near}" if near else ""))


def _is_number(raw: Any) -> bool:
    """Whether this is a number that a float can hold; true and false are none."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return False
    try:
        return math.isfinite(raw)
    except OverflowError:
        return False


def _hints(target: Any) -> dict[str, Any]:
    try:
        return get_type_hints(target if dataclasses.is_dataclass(target) else target.__init__, include_extras=True)
    except NameError:
        return {}  # a user's own policy with names that are only imported for type checkers: its constructor checks


def shown(raw: Any) -> str:
    """A value for an error message: short, with its type where the type is the mistake."""
    text = repr(raw)
    text = text if len(text) <= 60 else text[:57] + "..."
    return f"the text {text}" if isinstance(raw, str) else text
