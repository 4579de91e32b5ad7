import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.rewards.verifiers.constants import NotConstantError, constant, is_constant


def parsed(text):
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    "text",
    [
        "set([1, 2])", "sorted([3, 1], reverse=True)", "tuple('ab')", "list(range(3))", "frozenset({1})", "len('abc')",
        "abs(-3)", "round(2.345, 2)", "min(2, 1)", "max([1, 2])", "sum([1, 2], 3)", "str(1)", "int('7')",
        "float('inf')", "dict(a=1)", "{'a': [1, (2,)], **{}}", "-(2 ** 10) // 3 % 7", "'ab' * 2 + 'c'", "not ~1",
        "complex(1, 2)", "set()",
    ],
)  # fmt: skip
def test_what_needs_no_program_is_what_python_says(text):
    if "**{}" in text:
        assert not is_constant(parsed(text))
    else:
        assert constant(parsed(text)) == eval(text)
        assert type(constant(parsed(text))) is type(eval(text))


@pytest.mark.parametrize(
    "text",
    [
        "f(2)", "x", "open('a')", "eval('1')", "__import__('os')", "[].append", "[x for x in [1]]", "1 / 0", "int('a')",
        "sorted([1, 'a'])", "{[]}", "9 ** 9 ** 9", "2 ** (10 ** 9)", "'a' * 10 ** 9", "10 ** 9 * [0]",
        "range(10 ** 12)",
        "'%1000000000d' % 1", "sorted([1], key=f)", "sum(10, 15)", "lambda: 1", "f'{1}'", "str(*[1])", "str(**{})",
    ],
)  # fmt: skip
def test_what_is_the_program_s_to_say_or_too_large_is_no_constant(text):
    with pytest.raises(NotConstantError):
        constant(parsed(text))


def test_without_calls_only_literals_and_arithmetic_count():
    assert constant(parsed("-1 + 2"), calls=False) == 1
    assert not is_constant(parsed("max([1, 2])"), calls=False)


@given(st.recursive(st.integers() | st.text() | st.booleans() | st.none(), lambda inner: st.lists(inner)))
def test_every_literal_is_its_value(value):
    assert constant(parsed(repr(value))) == value
