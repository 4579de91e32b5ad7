"""Expressions that need no program: evaluated here, within bounds, and never with `eval`."""

import ast
import math
import operator
from collections.abc import Callable, Sized
from typing import Any

from curriculum_verl.errors import InputError

_MOST = 1_000_000  # items of a list, characters of a text
_BITS = 100_000  # of a whole number
_FAULTS = (TypeError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError)


class NotConstantError(InputError):
    """An expression whose value is the program's to say."""


def constant(expression: ast.expr, calls: bool = True) -> Any:
    """The value of literals, arithmetic, numbers of `math` and, where `calls` are taken, of the builtins below."""
    try:
        return _value(expression, calls)
    except _FAULTS as error:
        raise NotConstantError(f"{type(error).__name__}: {error}") from error


def is_constant(expression: ast.expr, calls: bool = True) -> bool:
    """Whether it has such a value."""
    try:
        constant(expression, calls)
    except NotConstantError:
        return False
    return True


def _value(node: ast.expr, calls: bool) -> Any:
    match node:
        case ast.Constant(value):
            return value
        case ast.List(items) | ast.Tuple(items) | ast.Set(items):
            return _DISPLAYS[type(node)](_value(item, calls) for item in items)
        case ast.Dict(keys, values) if None not in keys:
            pairs = [(_value(key, calls), _value(value, calls)) for key, value in zip(keys, values, strict=True) if key]
            return dict(pairs)
        case ast.UnaryOp(operation, operand):
            return _UNARY[type(operation)](_value(operand, calls))
        case ast.BinOp(left, operation, right) if type(operation) in _BINARY:
            return _BINARY[type(operation)](_value(left, calls), _value(right, calls))
        case ast.Attribute(ast.Name("math"), "pi" | "e" | "tau" | "inf" | "nan" as name):
            return getattr(math, name)
        case ast.Call(ast.Name(name), arguments, keywords) if name in _CALLED and (calls or name == "float"):
            named = {keyword.arg: _value(keyword.value, calls) for keyword in keywords if keyword.arg}
            if len(named) < len(keywords):
                raise NotConstantError("**")
            return _CALLED[name](*[_value(argument, calls) for argument in arguments], **named)
    raise NotConstantError(type(node).__name__)


_DISPLAYS: dict[type[ast.expr], Callable[[Any], Any]] = {ast.List: list, ast.Tuple: tuple, ast.Set: set}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}


def _times(left: Any, right: Any) -> Any:
    for items, count in ((left, right), (right, left)):
        if isinstance(items, Sized) and isinstance(count, int) and len(items) * count > _MOST:
            raise NotConstantError("too long")
    return left * right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str | bytes):
        raise NotConstantError("a format")
    return left % right


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > _BITS:
        raise NotConstantError("too large")
    return base**exponent


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: _times,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: _modulo,
    ast.Pow: _power,
}


def _range(*arguments: int) -> range:
    found = range(*arguments)
    if len(found) > _MOST:
        raise NotConstantError("too long")
    return found


_CALLED: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (abs, bool, complex, dict, float, frozenset, int, len, list, max, min, round, set, sorted, str, sum)
} | {"tuple": tuple, "range": _range}
