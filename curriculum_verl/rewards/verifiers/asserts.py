"""Tests written as assert statements: split, so that the sandbox evaluates and the comparison stays outside."""

import ast
from dataclasses import dataclass
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.verifiers.comparing import Asked, Reading, judge_outside
from curriculum_verl.rewards.verifiers.own_builtins import bound_names, with_own_builtins

_NOTE = "__note__"  # the function with which the sandbox's statements note their values down


@dataclass(frozen=True, slots=True)
class AssertTest:
    """Statements for the sandbox, how many values they note down, and what has to be true of these."""

    source: str
    count: int
    judges: tuple[Reading, ...]

    def passes(self, got: Any) -> bool:
        """Whether all values are there and each is what it has to be; one that cannot be compared is not."""
        if not isinstance(got, list) or len(got) != self.count:
            return False
        try:
            return all(judge(got) for judge in self.judges)
        except (TypeError, ValueError, ArithmeticError, RecursionError):
            return False


def split_asserts(source: str) -> AssertTest:
    """`assert f(2) == 4` becomes the value of f(2), which has to be 4: the program never sees the 4.

    An assert inside a function or a loop stays what it is; that it did not fail is all there is to see.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"test: got {source[:60]!r}, expected Python ({error})") from error
    bound = bound_names(module)
    statements, asked, judges = list[ast.stmt](), Asked([]), list[Reading]()
    for statement in module.body:
        if isinstance(statement, ast.Assert):
            for part in _conjuncts(statement.test):
                if isinstance(part, ast.Tuple) and part.elts:
                    raise InputError(f"test: got {source[:60]!r}, which asserts a tuple, and that is always true")
                before = len(asked.expressions)
                judges.append(judge_outside(part, asked) or _judge_within(part, asked))
                new = asked.expressions[before:]
                statements += [_note(with_own_builtins(expression, bound)) for expression in new]
        else:
            statements.append(statement)
    if not asked.expressions and not _asserts_inside(module):
        raise InputError(
            f"test: got {source[:60]!r}, which asserts nothing: every program would pass it; expected an assert of "
            "what the program gives, after what prepares it, in the same test; a function with asserts has to be called"
        )
    if any(not isinstance(statement, ast.Assert) for statement in module.body):
        judges.append(_is_true(asked.ask(ast.Constant(True))))  # noted last: all other statements have been run
        statements.append(_note(ast.Constant(True)))
    module.body = statements
    return AssertTest(ast.unparse(ast.fix_missing_locations(module)), len(asked.expressions), tuple(judges))


def _conjuncts(test: ast.expr) -> list[ast.expr]:
    """`assert a and b` is `assert a` and `assert b`."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return [part for value in test.values for part in _conjuncts(value)]
    return [test]


def _judge_within(test: ast.expr, asked: Asked) -> Reading:
    """What cannot be taken apart: the sandbox says whether it is true, in a form that needs no name."""
    return _is_true(asked.ask(ast.IfExp(test, ast.Constant(True), ast.Constant(False))))


def _is_true(reading: Reading) -> Reading:
    return lambda values: reading(values) is True


def _asserts_inside(module: ast.Module) -> bool:
    """Whether an assert is inside a statement, or in a function that the test names again, to call it."""
    named = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    return any(
        isinstance(node, ast.Assert)
        for statement in module.body
        if not isinstance(statement, ast.Assert)
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or statement.name in named
        for node in ast.walk(statement)
    )


def _note(value: ast.expr) -> ast.stmt:
    return ast.Expr(ast.Call(ast.Name(_NOTE, ast.Load()), [value], []))
