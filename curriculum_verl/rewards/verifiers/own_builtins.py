"""Builtins of a test's expressions: as they were before the program, which may put its own in their place."""

import ast
import builtins
from collections.abc import Collection
from typing import Any

SAVED = "__saved__"  # in the sandbox, the builtins by name
_BUILTINS = {  # those of every Python: neither the module's own name, nor what is there for an interactive session
    name for name, found in vars(builtins).items() if not name.startswith("_") and type(found).__module__ == "builtins"
}


def bound_names(module: ast.Module) -> set[str]:
    """Names that the test itself gives a value, at any place."""
    found = set[str]()
    for node in ast.walk(module):
        match node:
            case ast.Name(name, ast.Store()) | ast.arg(name):
                found.add(name)
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                found.add(name)
            case ast.alias(name, asname):
                found.add(asname or name.partition(".")[0])
    return found


def with_own_builtins(expression: ast.expr, bound: Collection[str]) -> ast.expr:
    """The expression with the builtins that were saved, unless one of them is all that it could ask of the program."""
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)} - set(bound)
    if not names - _BUILTINS:
        return expression
    replaced: ast.expr = _Replaced(names & _BUILTINS).visit(expression)
    return replaced


class _Replaced(ast.NodeTransformer):
    def __init__(self, names: Collection[str]):
        self._names = names

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id not in self._names:
            return node
        return ast.Subscript(ast.Name(SAVED, ast.Load()), ast.Constant(node.id), ast.Load())
