import math
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.schema import (
    INVALID,
    Bounds,
    Count,
    Name,
    NotPositive,
    OpenShare,
    PartShare,
    Positive,
    Reader,
    Share,
    Whole,
    shown,
)


@dataclass(frozen=True)
class Inner:
    """A part."""

    share: Share
    mode: Literal["max", "min"] = "max"


@dataclass(frozen=True)
class Outer:
    """A whole."""

    name: Name
    count: Count = 1
    limit: NotPositive | None = None
    flag: bool = True
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)


class Takes:
    """A class that is no dataclass, such as a policy."""

    def __init__(self, pools: Any, *, rate: Positive, note: str = "", **rest: Any):
        self.given = (rate, note, rest)


def read(hint, raw):
    reader = Reader()
    return reader.read(hint, raw, "root"), reader.problems


def test_reads_nested_data_into_types():
    raw = {
        "name": "a",
        "count": 3.0,
        "limit": -1,
        "flag": False,
        "inner": {"share": 1},
        "inners": [{"share": 0.25, "mode": "min"}],
        "weights": {1: 2, "b": 0.5},
    }
    value, problems = read(Outer, raw)
    assert problems == []
    assert value == Outer("a", 3, -1.0, False, Inner(1.0), (Inner(0.25, "min"),), {"1": 2.0, "b": 0.5})
    assert type(value.count) is int
    assert type(value.limit) is float


def test_all_mistakes_are_listed_at_once_each_with_its_path():
    raw = {
        "cuont": 1,
        "count": 0,
        "limit": 1,
        "flag": "yes",
        "inner": {"share": 2, "mode": "maxx"},
        "inners": [{"share": 0.5}, {"share": "half"}, 7],
        "weights": {"a": None},
    }
    value, problems = read(Outer, raw)
    assert value is INVALID
    assert problems == [
        "root.cuont: unknown key 'cuont', expected one of name, count, limit, flag, inner, inners, weights; "
        "did you mean 'count'?",
        "root.name: is missing",
        "root.count: got 0, expected a whole number >= 1",
        "root.limit: got 1, expected a number <= 0",
        "root.flag: got the text 'yes', expected true or false",
        "root.inner.share: got 2, expected a number >= 0 and <= 1",
        "root.inner.mode: got the text 'maxx', expected one of 'max', 'min'; did you mean 'max'?",
        "root.inners[1].share: got the text 'half', expected a finite number",
        "root.inners[2]: got 7, expected a mapping",
        "root.weights.a: got None, expected a finite number",
    ]


@pytest.mark.parametrize(
    ("hint", "inside", "outside"),
    [
        (Share, [0, 1, 0.5], [-1e-9, 1.0000001]),
        (PartShare, [0, 0.999], [1, -0.1]),
        (OpenShare, [0.001, 0.999], [0, 1]),
        (Positive, [1e-9, 1e9], [0, -1]),
        (NotPositive, [0, -5], [1e-9]),
        (Whole, [0, 7], [-1]),
        (Count, [1, 7], [0, -1]),
    ],
)
def test_bounds_admit_what_they_say(hint, inside, outside):
    assert [read(hint, raw) for raw in inside] == [(raw, []) for raw in inside]
    for raw in outside:
        value, problems = read(hint, raw)
        assert value is INVALID
        assert len(problems) == 1


def test_bounds_in_words():
    assert str(Bounds(at_least=0, below=1)) == ">= 0 and < 1"
    assert str(Bounds(above=0, at_most=2.5)) == "> 0 and <= 2.5"


@pytest.mark.parametrize("raw", [True, "1", None, [], {}, math.nan, math.inf, -math.inf])
def test_what_is_no_number(raw):
    value, problems = read(float, raw)
    assert value is INVALID
    assert problems[0].endswith("expected a finite number")


@pytest.mark.parametrize("raw", [True, "1", None, [], {}, math.nan, math.inf, 1.5])
def test_what_is_no_whole_number(raw):
    value, problems = read(int, raw)
    assert value is INVALID
    assert problems[0].endswith("expected a whole number")


@pytest.mark.parametrize("hint", [int, float, Share, Count, Name])
def test_a_number_larger_than_any_float_is_read_or_reported(hint):
    value, problems = read(hint, 10**400)
    assert (value, problems) == (10**400, []) or (value is INVALID and len(problems) == 1)


@pytest.mark.parametrize("raw", [1, None, ["a"], b"a"])
def test_what_is_no_text(raw):
    value, problems = read(str, raw)
    assert value is INVALID
    assert problems[0].endswith("expected text")


def test_an_empty_name_is_refused():
    assert read(Name, "") == (INVALID, ["root: got the text '', expected a name"])


def test_arguments_follow_a_constructor():
    reader = Reader()
    assert reader.arguments(Takes, {"rate": 2, "extra": [1]}, "policy", skip=("pools",)) == {"rate": 2.0, "extra": [1]}
    assert reader.problems == []
    reader.arguments(Takes, {"note": 1}, "policy", skip=("pools",))
    assert reader.problems == ["policy.rate: is missing", "policy.note: got 1, expected text"]


def test_special_types_are_read_by_their_own_function():
    reader = Reader({Inner: lambda raw, path: (raw, path)})
    value = reader.read(Outer, {"name": "a", "inners": ["x", "y"]}, "root")
    assert value.inners == (("x", "root.inners[0]"), ("y", "root.inners[1]"))


def test_long_values_are_shortened():
    assert len(shown("x" * 1000)) < 80
    assert shown([1] * 1000).endswith("...")
    assert shown("a") == "the text 'a'"


KEYS = st.sampled_from([*Outer.__dataclass_fields__, "share", "mode", "other"]) | st.integers() | st.none()
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3)
GARBAGE = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=15
)


@given(GARBAGE)
def test_garbage_is_read_or_reported_never_raised(raw):
    value, problems = read(Outer, raw)
    assert (value is INVALID) == bool(problems)
    assert all(problem.startswith("root") for problem in problems)
