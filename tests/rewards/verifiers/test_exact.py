import numpy as np
import pytest

from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.verifiers.exact import ExactVerifier


@pytest.mark.parametrize(
    ("text", "truth", "value"),
    [
        ("Paris", "Paris", 1),
        ("  paris.\n", "Paris", 1),
        ('"Paris"', "paris", 1),
        ("New\n York", "new york", 1),
        ("It is <answer>Paris</answer>, I think", "Paris", 1),
        ("<think>London?</think>Paris", "Paris", 1),
        ("ﬁne", "fine", 1),  # one character that stands for two
        ("Paris", ["London", "Paris"], 1),
        ("12", 12, 1),
        ("42", 42.0, 1),  # Parquet turns whole numbers into floats
        ("42.0", 42.0, 1),
        ("-7", np.array([42.0, -7.0]), 1),
        ("42", 42.5, 0),
        ("42.5", 42.5, 1),
        ("42.0", 42, 0),
        ("42", "42.0", 0),  # what is text in the data is text
        ("True", True, 1),
        ("It is Paris", "Paris", 0),
        ("Pari", "Paris", 0),
        ("", "Paris", 0),
    ],
)
def test_an_answer_is_one_of_the_accepted_ones_or_not(text, truth, value):
    assert ExactVerifier().score(Response(text, truth)).value == value


def test_the_case_can_count():
    assert ExactVerifier(ignore_case=False).score(Response("paris", "Paris")).value == 0
