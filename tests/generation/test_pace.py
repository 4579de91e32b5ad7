"""When a call may start, how long a failed one waits, and what Retry-After means."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.generation.backends.pace import LONGEST_ASKED, Pace, back_off, retry_after

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50).map(sorted), st.floats(1, 1000))
def test_no_more_start_in_a_minute_than_agreed(asked: list[float], per_minute: float) -> None:
    pace = Pace(per_minute)
    starts = [now + pace.reserve(now) for now in asked]
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert all(gap >= 60 / per_minute - 1e-9 for gap in gaps)
    assert starts[0] == asked[0]


def test_without_an_agreement_nobody_waits() -> None:
    pace = Pace(None)
    assert [pace.reserve(5.0) for _ in range(3)] == [0, 0, 0]


def test_nobody_starts_while_the_server_wants_to_be_left_alone() -> None:
    pace = Pace(60)
    assert [pace.reserve(0.0), pace.reserve(0.0)] == [0.0, 1.0]
    pace.pause(10.0)
    assert pace.paused(1.0), "a turn that was given out before is worth nothing"
    assert [pace.reserve(1.0), pace.reserve(1.0)] == [9.0, 10.0]
    assert not pace.paused(10.0)
    pace.pause(5.0)
    assert pace.reserve(20.0) == 0.0


def test_each_wait_is_up_to_twice_as_long_as_the_one_before() -> None:
    assert [back_off(attempt, 1.0) for attempt in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert back_off(3, 0.25) == 2


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("1e9", LONGEST_ASKED),
        ("nan", None),
        ("soon", None),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOON) == seconds
