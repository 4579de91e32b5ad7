"""The comparisons of an assert, made outside of the sandbox with Python's own operators."""

import ast
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from curriculum_verl.rewards.verifiers.constants import NotConstantError, constant, is_constant

Reading = Callable[[Sequence[Any]], Any]  # from all values that the sandbox gave


@dataclass(frozen=True, slots=True)
class Asked:
    """The expressions whose values the sandbox is asked for, in the order in which it gives them."""

    expressions: list[ast.expr]

    def ask(self, expression: ast.expr) -> Reading:
        """Ask for one more; the reading finds its value."""
        place = len(self.expressions)
        self.expressions.append(expression)
        return lambda values: values[place]


def _is(got: Any, wanted: Any) -> bool:
    return type(got) is type(wanted) and bool(got == wanted)


_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: _is,
    ast.IsNot: lambda got, wanted: not _is(got, wanted),
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda got, items: got in items,
    ast.NotIn: lambda got, items: got not in items,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Div: operator.truediv,
}


def judge_outside(test: ast.expr, asked: Asked) -> Reading | None:
    """Whether the test holds, from the values that it needs; None, and nothing asked, where it cannot be taken apart.

    A builtin that is called with constants alone is the program's own where the test would else ask it nothing:
    `assert sum(10, 15) == 6`.
    """
    for calls in (True, False):
        trial = Asked(list(asked.expressions))
        reading = _judge(test, trial, calls)
        if reading is None:
            return None
        if len(trial.expressions) > len(asked.expressions):
            asked.expressions[:] = trial.expressions
            return reading
    return reading  # a constant, true or false


def _judge(test: ast.expr, asked: Asked, calls: bool) -> Reading | None:
    match test:
        case ast.Compare(left, operations, others):
            sides = [left, *others]
            if not any(is_constant(side, calls) for side in sides):
                return None
            readings = [_side(side, asked, calls) for side in sides]
            compared = [_COMPARED[type(operation)] for operation in operations]
            steps = list(zip(compared, readings, readings[1:], strict=False))
            return lambda values: all(compare(a(values), b(values)) for compare, a, b in steps)
        case ast.UnaryOp(ast.Not(), ast.Compare(ops=[_]) as inner):
            holds = _judge(inner, asked, calls)
            return None if holds is None else lambda values: not holds(values)
        case ast.Call(ast.Attribute(ast.Name("math"), "isclose") | ast.Name("isclose"), [one, other], keywords) if all(
            keyword.arg and is_constant(keyword.value, calls) for keyword in keywords
        ):
            a, b = _side(one, asked, calls), _side(other, asked, calls)
            tolerances = {str(keyword.arg): constant(keyword.value, calls) for keyword in keywords}
            return lambda values: math.isclose(a(values), b(values), **tolerances)
    if is_constant(test, calls):
        value = constant(test, calls)
        return lambda values: value
    return None


def _side(side: ast.expr, asked: Asked, calls: bool) -> Reading:
    """One side's value; of `abs(f(2) - 3.5)` f(2) alone is the sandbox's: a program could make a difference small."""
    try:
        value = constant(side, calls)
    except NotConstantError:
        pass
    else:
        return lambda values: value
    match side:
        case ast.Call(ast.Name("abs"), [inner], []) if _is_sum(inner, calls):
            reading = _side(inner, asked, calls)
            return lambda values: abs(reading(values))
        case ast.BinOp(left, operation, right) if _is_sum(side, calls):
            compute = _ARITHMETIC[type(operation)]
            one, other = _side(left, asked, calls), _side(right, asked, calls)
            return lambda values: compute(one(values), other(values))
    return asked.ask(side)


def _is_sum(expression: ast.expr, calls: bool) -> bool:
    """A sum, difference or quotient of which one operand is a number here: so the other has to be one, too."""
    if not isinstance(expression, ast.BinOp) or type(expression.op) not in _ARITHMETIC:
        return False
    operands = (expression.left, expression.right)
    return any(
        is_constant(operand, calls) and isinstance(constant(operand, calls), int | float) for operand in operands
    )
