import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.preprocessing.normal import is_for_training, normal_text, text_hash


def user(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 2+2?", "  what\tIS\n 2+2?  "),
        ("\ufb01ne \uff12", "FINE 2"),  # a ligature and a wide digit
        ("caf\u00e9", "CAFE\u0301"),
        ("straße", "STRASSE"),
        ("a\u00a0b", "a b"),
    ],
)
def test_what_is_the_same_to_a_reader_is_the_same(one, other):
    assert normal_text(user(one)) == normal_text(user(other))


@pytest.mark.parametrize(("one", "other"), [("2 + 2", "2+2"), ("a b", "ab"), ("x", "y"), ("2²", "2")])
def test_what_is_not_the_same_differs(one, other):
    assert normal_text(user(one)) != normal_text(user(other))


def test_only_what_the_user_says_counts():
    system = {"role": "system", "content": "Be short."}
    answer = {"role": "assistant", "content": "Yes?"}
    said = user("One", "two")
    assert normal_text([system, said[0], answer, said[1]]) == normal_text(said) == "one two"


def test_where_no_user_speaks_all_counts():
    assert normal_text([{"role": "system", "content": "Go"}, {"role": "tool", "content": "ON"}]) == "go on"
    assert normal_text([]) == ""


@given(st.text())
def test_the_normal_form_is_its_own_normal_form(text):
    once = normal_text(user(text))
    assert normal_text(user(once)) == once


def test_the_hash_is_the_same_everywhere_and_for_ever():
    assert text_hash("what is 2+2?") == 0x1E8A4D4BFC242171
    assert text_hash("what is 2+2?", 7) == 0xD399C282C0BBC136


@given(st.text(), st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.integers(0, 2**64 - 1))
def test_a_larger_share_never_moves_a_prompt_out_of_training(text, one, other, seed):
    small, large = sorted([one, other])
    assert is_for_training(text, large, seed) or not is_for_training(text, small, seed)
    assert is_for_training(text, None, seed)


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_share_is_about_what_was_asked_for(share, seed):
    trained = sum(is_for_training(f"prompt {number}", share, seed) for number in range(4000))
    assert abs(trained / 4000 - share) < 0.03


def test_another_seed_is_another_split():
    sides = [[is_for_training(f"prompt {number}", 0.5, seed) for number in range(100)] for seed in (0, 1)]
    assert sides[0] != sides[1]
