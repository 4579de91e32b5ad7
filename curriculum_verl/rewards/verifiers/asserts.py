"""Tests written as assert statements: split, so that the sandbox evaluates and the comparison stays outside."""

import ast
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.verifiers.values import same

_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: same,
    ast.NotEq: lambda got, wanted: not same(got, wanted),
    ast.Is: same,
    ast.IsNot: lambda got, wanted: not same(got, wanted),
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_NOTED = "__noted__"  # the list to which the sandbox's statements add their values


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one noted value has to be."""

    compare: Callable[[Any, Any], bool]
    wanted: Any

    def holds(self, got: Any) -> bool:
        """Whether it is; values that cannot be compared are not."""
        try:
            return bool(self.compare(got, self.wanted))
        except (TypeError, RecursionError):
            return False


@dataclass(frozen=True, slots=True)
class AssertTest:
    """Statements for the sandbox, and what the values that they note down have to be."""

    source: str
    expected: tuple[Expectation, ...]

    def passes(self, got: Any) -> bool:
        """Whether all values are there and each is what it has to be."""
        if not isinstance(got, list) or len(got) != len(self.expected):
            return False
        return all(expectation.holds(value) for expectation, value in zip(self.expected, got, strict=True))


def split_asserts(source: str) -> AssertTest:
    """`assert f(2) == 4` becomes the value of f(2), which has to be 4: the program never sees the 4.

    An assert inside a function or a loop stays what it is; that it did not fail is all there is to see.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"test: got {source[:60]!r}, expected Python ({error})") from error
    statements, expected = list[ast.stmt](), list[Expectation]()
    for statement in module.body:
        if isinstance(statement, ast.Assert):
            shown, expectation = _split(statement.test)
            statements.append(_note(shown))
            expected.append(expectation)
        else:
            statements.append(statement)
    if len(expected) < len(module.body):  # all of the other statements have been run when this value is noted
        statements.append(_note(ast.Constant(True)))
        expected.append(Expectation(same, True))
    module.body = statements
    return AssertTest(ast.unparse(ast.fix_missing_locations(module)), tuple(expected))


def _split(test: ast.expr) -> tuple[ast.expr, Expectation]:
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _COMPARED:
        compare = _COMPARED[type(test.ops[0])]
        for shown, literal, turned in ((test.left, test.comparators[0], False), (test.comparators[0], test.left, True)):
            if _is_literal(literal) and not (turned and compare not in (same,)):
                return shown, Expectation(compare, _literal(literal))
    truth = ast.Call(ast.Name("bool", ast.Load()), [test], [])
    return truth, Expectation(same, True)


def _is_literal(expression: ast.expr) -> bool:
    try:
        _literal(expression)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return False
    return True


def _literal(expression: ast.expr) -> Any:
    if ast.unparse(expression) in ("float('inf')", "math.inf"):
        return math.inf
    return ast.literal_eval(expression)


def _note(value: ast.expr) -> ast.stmt:
    append = ast.Attribute(ast.Name(_NOTED, ast.Load()), "append", ast.Load())
    return ast.Expr(ast.Call(append, [value], []))
