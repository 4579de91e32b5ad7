import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curriculum_verl.curriculum.formula import parse_formula
from curriculum_verl.errors import InputError

NAMES = {"a": 2.0, "b": -0.5, "success_rate": 0.75, "c": 0.0}
NUMBERS = st.sampled_from(["0", "1", "2.5", ".5", "3.", "1e3", "2E-2", "1.5e+1"])
LEAVES = NUMBERS | st.sampled_from(sorted(NAMES))


def combine(inner):
    binary = st.tuples(inner, st.sampled_from([" + ", " - ", "+", " * ", "*", " / "]), inner).map("".join)
    calls = st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})")
    return binary | inner.map("({})".format) | inner.map("-{}".format) | calls


TEXTS = st.recursive(LEAVES, combine, max_leaves=12).filter(lambda text: len(text) <= 500)


@settings(max_examples=300)
@given(TEXTS)
def test_means_what_python_means(text):
    formula = parse_formula(text)
    try:
        expected = float(eval(text, {"min": min, "max": max}, NAMES))
    except ZeroDivisionError:
        expected = math.nan
    assert formula(NAMES) == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert formula.names == set(re.findall(r"(?<![\d.])[a-z_]+", text)) - {"min", "max"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("success_rate * reward/coherence", 0.4),
        ("train/success_rate - 1", -0.5),
        ("train/success_rate / reward/coherence", 0.625),
        ("2 * (1 - train/success_rate)", 1.0),
        ("max(0, -1, reward/coherence)", 0.8),
        ("min(1)", 1.0),
        ("--2", 2.0),
        ("-2 * -3", 6.0),
        ("8 / 4 / 2", 1.0),
        ("8 - 4 - 2", 2.0),
        ("2 + 3 * 4", 14.0),
        ("val/pass@8 + min", 1.5),
        ("  success_rate\n*\t2 ", 1.0),
    ],
)
def test_values(text, value):
    values = {"success_rate": 0.5, "train/success_rate": 0.5, "reward/coherence": 0.8, "val/pass@8": 0.5, "min": 1.0}
    assert parse_formula(text)(values) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("train/success_rate * x", {"train/success_rate", "x"}),
        ("a / b", {"a", "b"}),
        ("a/b", {"a/b"}),
        ("max(a, a)", {"a"}),
        ("1 + 2", set()),
        ("val/level-1/score", {"val/level-1/score"}),
        ("val/1/score", {"val/1/score"}),
    ],
)
def test_names_are_those_of_the_metrics(text, names):
    assert parse_formula(text).names == names


@pytest.mark.parametrize(("text"), ["1 / 0", "a / (a - a)", "0 / 0", "1e400 * 0"])
def test_what_is_not_defined_is_nan(text):
    assert math.isnan(parse_formula(text)({"a": 1.0}))


@pytest.mark.parametrize(
    ("text", "got", "expected"),
    [
        ("", "the end", "a number, a metric name or '('"),
        ("a +", "the end", "a number, a metric name or '('"),
        ("(a", "the end", "')'"),
        ("a b", "b", "an operator or the end"),
        ("a)", ")", "an operator or the end"),
        ("a ** 2", "*", "a number"),
        ("a % 2", "%", "an operator"),
        ("max()", ")", "a number"),
        ("max(a,)", ")", "a number"),
        ("__import__('os')", "(", "an operator"),
        ("a[0]", "[", "an operator"),
        ("a if b else c", "if", "an operator"),
        ("lambda: 1", ":", "an operator"),
        ("\N{SUPERSCRIPT TWO}", "\N{SUPERSCRIPT TWO}", "a number"),
        (".", ".", "a number"),
        ("a + .", ".", "a number"),
    ],
)
def test_a_mistake_says_what_was_got_and_expected(text, got, expected):
    with pytest.raises(InputError) as caught:
        parse_formula(text)
    message = str(caught.value)
    assert message.startswith(f"formula {text!r}: got {got!r}, expected ")
    assert expected in message


@pytest.mark.parametrize("text", ["(" * 250 + "a" + ")" * 249, "(" * 249 + "a" + ")" * 249, "-" * 499 + "a", "(" * 500])
def test_deep_nesting_is_read_or_refused(text):
    try:
        value = parse_formula(text)({"a": 2.0})
    except InputError:
        return
    assert abs(value) == 2.0


def test_a_very_long_formula_is_refused():
    with pytest.raises(InputError, match="formula: got 501 characters, expected at most 500"):
        parse_formula("a" * 501)
    assert parse_formula("a" * 500).names == {"a" * 500}


@settings(max_examples=300)
@given(st.text(max_size=30) | st.text(alphabet="ab01.+-*/(),e _", max_size=30))
def test_garbage_is_read_or_refused(text):
    try:
        formula = parse_formula(text)
    except InputError:
        return
    assert isinstance(formula(dict.fromkeys(formula.names, 0.5)), float)
