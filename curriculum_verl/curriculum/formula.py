"""Derived metrics: a small arithmetic language over metric names, parsed here and never given to eval()."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from curriculum_verl.errors import InputError

# A slash or minus inside a word belongs to a name (val/level-1/score): a division or subtraction has spaces around it.
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][\w@.]*(?:[/-][\w@.]+)*)|(?P<other>.))",
    re.DOTALL,
)
_FUNCTIONS: dict[str, Callable[..., float]] = {"min": min, "max": max}
_LONGEST = 500
_DEEPEST = 50

Values = Mapping[str, float]
Node = Callable[[Values], float]


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed formula; calling it needs a value for every one of `names`."""

    text: str
    names: frozenset[str]
    _evaluate: Node

    def __call__(self, values: Values) -> float:
        """The result; NaN where it is not defined (a division by zero, an overflow)."""
        try:
            return float(self._evaluate(values))
        except (ZeroDivisionError, OverflowError):
            return float("nan")


def parse_formula(text: str) -> Formula:
    """Parse + - * / ( ) numbers, metric names, min(a, b, ...) and max(a, b, ...)."""
    if len(text) > _LONGEST:
        raise InputError(f"formula: got {len(text)} characters, expected at most {_LONGEST}")
    parser = _Parser(text)
    node = parser.sum()
    if parser.token:
        raise parser.error("an operator or the end")
    return Formula(text, frozenset(parser.names), node)


class _Parser:
    """Recursive descent: sum = product {(+|-) product}; product = factor {(*|/) factor}."""

    def __init__(self, text: str):
        self.text = text
        self.names: set[str] = set()
        self._tokens = [(match.lastgroup or "", match.group().strip()) for match in _TOKEN.finditer(text.strip())]
        self._position = 0
        self._depth = 0

    @property
    def token(self) -> str:
        return self._tokens[self._position][1] if self._position < len(self._tokens) else ""

    @property
    def kind(self) -> str:
        return self._tokens[self._position][0] if self._position < len(self._tokens) else "end"

    def error(self, expected: str) -> InputError:
        return InputError(f"formula {self.text!r}: got {self.token or 'the end'!r}, expected {expected}")

    def accept(self, *tokens: str) -> str:
        found = self.token
        if found not in tokens:
            return ""
        self._position += 1
        return found

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise self.error(repr(token))

    def sum(self) -> Node:
        left = self.product()
        while operator := self.accept("+", "-"):
            left = _binary(operator, left, self.product())
        return left

    def product(self) -> Node:
        left = self.factor()
        while operator := self.accept("*", "/"):
            left = _binary(operator, left, self.factor())
        return left

    def factor(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.error(f"at most {_DEEPEST} levels of nesting")
        node = self._factor()
        self._depth -= 1
        return node

    def _factor(self) -> Node:
        if self.accept("-"):
            operand = self.factor()
            return lambda values: -operand(values)
        if self.accept("("):
            inner = self.sum()
            self.expect(")")
            return inner
        kind, token = self.kind, self.token
        if kind not in ("number", "name"):
            raise self.error("a number, a metric name or '('")
        self._position += 1
        if kind == "number":
            number = float(token)
            return lambda values: number
        if token in _FUNCTIONS and self.accept("("):
            return self.call(_FUNCTIONS[token])
        self.names.add(token)
        return lambda values: values[token]

    def call(self, function: Callable[..., float]) -> Node:
        operands = [self.sum()]
        while self.accept(","):
            operands.append(self.sum())
        self.expect(")")
        return lambda values: function([operand(values) for operand in operands])


def _binary(operator: str, left: Node, right: Node) -> Node:
    if operator == "+":
        return lambda values: left(values) + right(values)
    if operator == "-":
        return lambda values: left(values) - right(values)
    if operator == "*":
        return lambda values: left(values) * right(values)
    return lambda values: left(values) / right(values)
