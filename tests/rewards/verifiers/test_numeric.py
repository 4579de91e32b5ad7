import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.verifiers.numeric import NumericVerifier, Quantity, last_number, read_quantity
from curriculum_verl.rewards.verifiers.settings import Band, NumericSettings


def value_of(text, truth, **settings):
    return NumericVerifier(NumericSettings(**settings)).score(Response(text, truth)).value


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("42", Quantity(42)),
        ("-3.5", Quantity(-3.5)),
        ("+7", Quantity(7)),
        ("\u22127", Quantity(-7)),
        (".5", Quantity(0.5)),
        ("5.", Quantity(5)),
        ("1,234,567.5", Quantity(1234567.5)),
        ("1 234 567", Quantity(1234567)),
        ("1_000", Quantity(1000)),
        ("$1,200", Quantity(1200)),
        ("\\$12", Quantity(12)),
        ("3/4", Quantity(0.75)),
        ("-3/4", Quantity(-0.75)),
        ("2 1/2", Quantity(2.5)),
        ("-2 1/2", Quantity(-2.5)),
        ("\\frac{3}{4}", Quantity(0.75)),
        ("1\\frac{1}{2}", Quantity(1.5)),
        ("1e3", Quantity(1000)),
        ("3.2 \\times 10^{5}", Quantity(320000)),
        ("3 x 10^-2", Quantity(0.03)),
        ("50%", Quantity(50, percent=True)),
        ("50\\%", Quantity(50, percent=True)),
        ("50 percent", Quantity(50, percent=True)),
        ("12 km", Quantity(12, unit="km")),
        ("12 apples", Quantity(12, unit="apple")),
        ("12\\text{ cm}^2", None),
        ("12 kilometres", Quantity(12, unit="km")),
        ("12 s", Quantity(12, unit="s")),
        ("12 ms", Quantity(12, unit="ms")),
        ("$5 million", Quantity(5e6)),
        ("2.5 Billions", Quantity(2.5e9)),
        ("3 thousand km", Quantity(3000, unit="km")),
        ("3 millionaires", Quantity(3, unit="millionaire")),
        (r"\frac12", Quantity(0.5)),
        (r"-\dfrac 3{4}", Quantity(-0.75)),
        (r"-\frac{1}{2}", Quantity(-0.5)),
        (r"1\frac{1}2", Quantity(1.5)),
        (r"\frac123", None),
        ("x = 12", Quantity(12)),
        ("90^\\circ", Quantity(90)),
    ],
)
def test_a_number_is_read_in_many_notations(text, quantity):
    assert read_quantity(text) == quantity


@pytest.mark.parametrize(
    "text", ["", "twelve", "1,23", "3,5", "1/0", "1.2.3", "1 2", "12:30", "9" * 500, "1e999", "--1", "1,,000", "1,2345"]
)
def test_what_is_no_single_number_is_not_read(text):
    assert read_quantity(text) is None


@pytest.mark.parametrize(
    ("text", "truth", "value"),
    [
        ("The answer is 42.", 42, 1),
        ("First 41, then 42", "42", 1),
        ("First 42, then 41", "42", 0),
        ("<answer>1,234</answer> of 5", "1234", 1),
        (r"\boxed{0.75}", "3/4", 1),
        ("#### 72", "Natalia sold 48/2 = 24\n#### 72", 1),
        ("no number", 42, 0),
        ("", 42, 0),
        ("<answer>12 km</answer>", "12", 1),
        ("<answer>12</answer>", "12 km", 1),
        ("<answer>12 miles</answer>", "12 km", 0),
        ("<answer>12 Apples</answer>", "12 apple", 1),
        ("It is 12 km", "12 m", 0),
        ("It is 12 km.", "12 kilometers", 1),
        ("It is 12 m", "12 ms", 0),
        ("It takes 12 seconds in all", "12 s", 1),
        ("It takes 12 minutes in all", "12 s", 0),
        ("<answer>12 m</answer>", "12 metres", 1),
        ("There are 12 of them", "12 apples", 1),
        ("So 12 in total", "12 km", 1),
        ("It is 12 m/s", "12 km/h", 1),  # a unit made of units is not read in running text
        ("It is 12 km per hour", "12 m", 1),
        ("It costs $5 million", "5", 0),
        ("It costs $5 million.", "5,000,000", 1),
        ("It costs 5000 thousand", "5 million", 1),
        ("So it is \\frac12", "0.5", 1),
        ("50%", "0.5", 1),
        ("50%", "50", 1),
        ("0.5", "50%", 1),
        ("50", "50%", 1),
        ("50%", "50%", 1),
        ("0.5%", "50%", 0),
        ("0.3333333", "1/3", 1),
        ("0.333", "1/3", 0),
        ("7", ["6", "7"], 1),
        ("0", 0, 1),
    ],
)
def test_numbers_are_equal_or_not(text, truth, value):
    assert value_of(text, truth) == value


def test_soft_bands_give_credit_for_what_is_near():
    bands = (Band(0.01, 0.8), Band(0.1, 0.3))
    assert [value_of(text, 100, soft_bands=bands) for text in ("100", "100.5", "95", "150")] == [1, 0.8, 0.3, 0]


def test_tolerances_are_settings():
    assert value_of("3.14", "3.14159", relative_tolerance=1e-2) == 1
    assert value_of("0.001", "0", absolute_tolerance=1e-2) == 1


@pytest.mark.parametrize("truth", ["twelve", True, float("nan"), {"a": 1}])
def test_a_ground_truth_without_a_number_is_an_error(truth):
    with pytest.raises(InputError, match=r"ground truth: got .*, expected a number"):
        value_of("1", truth)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_every_number_is_equal_to_itself_however_python_writes_it(number):
    for text in (repr(number), f"{number:.17e}", f"so {number!r}"):
        assert value_of(text, number) == 1
    assert last_number(f"about {number:,.3f} or so") is not None
