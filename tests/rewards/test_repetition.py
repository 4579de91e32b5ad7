"""Repeated n-grams and loops."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewards.made_up_texts import fuzz

from curriculum_verl.rewards.repetition import LONGEST_LOOP, loop_share, repeated_share


@pytest.mark.parametrize(
    ("items", "share"),
    [
        ("", 0),
        ("A", 0),
        ("ABC", 0),
        ("AA", 1 / 2),
        ("AAA", 2 / 3),
        ("ABAB", 2 / 4),
        ("ABABAB", 4 / 6),
        ("ABABA", 3 / 5),
        ("ABACAD", 0),
        ("ABCCBA", 1 / 6),
        ("XABCABCY", 3 / 8),
        ("ABCDEFGH" * 2, 8 / 16),
        ("ABCDEFGHI" * 2, 0),
    ],
)
def test_the_share_of_items_in_a_loop(items, share):
    assert loop_share(items) == pytest.approx(share)


def slow_loop_share(items):
    """By the definition, item by item."""
    looping = set()
    for period in range(1, LONGEST_LOOP + 1):
        for end in range(2 * period, len(items) + 1):
            if items[end - period : end] == items[end - 2 * period : end - period]:
                looping.update(range(end - period, end))
    return len(looping) / len(items) if items else 0.0


@fuzz
@given(st.lists(st.sampled_from("ABC"), max_size=40))
def test_the_share_is_as_defined(items):
    assert loop_share(items) == pytest.approx(slow_loop_share(items))


def slow_repeated_share(text, window):
    seen = [text[start : start + window] for start in range(len(text) - window + 1)]
    return 1 - len(set(seen)) / len(seen) if len(seen) > 1 else 0.0


@fuzz
@given(st.text("ab ", max_size=20).map(str.encode), st.integers(0, 8), st.sampled_from([16, 24, 64]))
def test_repeated_windows_are_counted(unit, times, window):
    text = unit * times
    assert repeated_share(text, window) == pytest.approx(slow_repeated_share(text, window))


def test_a_long_text_without_repetition_has_none():
    text = "".join(random.Random(1).choices(string.ascii_lowercase + " ", k=200_000)).encode()
    assert repeated_share(text, 24) < 0.001
    assert repeated_share(text * 2, 24) == pytest.approx(0.5, abs=0.001)


def test_no_single_byte_is_overlooked():
    base = bytearray(b"0123456789abcdefghijklmn")
    for position in range(24):
        for change in (1, 2, 64, 128):
            other = bytearray(base)
            other[position] ^= change
            assert repeated_share(bytes(base) + bytes(other), 24) == 0.0
