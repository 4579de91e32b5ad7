import math

import pytest

from curriculum_verl.words import number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 3, "0.3333"), (2.0, "2"), (-0.0, "0"), (9999.4, "9999"), (12_345.6, "12,346"), (-10_000, "-10,000"),
        (1e-6, "1e-06"), (1e20, "1e+20"), (math.nan, "-"), (math.inf, "-"),
    ],
)  # fmt: skip
def test_numbers_for_people(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.25, "25%"), (0.0123, "1.2%"), (0.0, "0%"), (-0.5, "-50%")])
def test_shares_for_people(value: float, text: str) -> None:
    assert number(value, share=True) == text
