import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.sandbox.inside.child import plain
from curriculum_verl.rewards.sandbox.running import Run
from curriculum_verl.rewards.verifiers.asserts import split_asserts
from curriculum_verl.rewards.verifiers.unit_tests import read_tests
from curriculum_verl.rewards.verifiers.values import Unreadable, read_value, same


def returned(value):
    return Run("finished", value=json.dumps(plain(value)))


@pytest.mark.parametrize(
    ("output", "passed"), [("4", True), ("4 \n\n", True), ("4\n", True), (" 4", False), ("4\n5", False), ("", False)]
)
def test_output_is_compared_line_by_line_without_what_cannot_be_seen(output, passed):
    (test,) = read_tests({"inputs": ["2"], "outputs": ["4\n"]})
    assert test.passed(Run("finished", output)) is passed
    assert not test.passed(Run("failed", output))


def test_arguments_and_values_may_be_json_or_what_it_stands_for():
    for given_, wanted in (([[1, 2], "a"], [3]), ('[1, 2]\n"a"', "[3]"), ([[1, 2], "a"], [[3]])):
        (test,) = read_tests({"fn_name": "f", "inputs": [given_], "outputs": [wanted]})
        assert test.program.arguments == ([1, 2], "a")
        assert test.passed(returned([3]))
        assert not test.passed(returned([4]))


def test_arrays_of_parquet_are_lists():
    truth = {
        "inputs": np.array(["1", "2"], dtype=object),
        "outputs": np.array(["1", "2"], dtype=object),
        "fn_name": None,
    }
    assert [test.program.stdin for test in read_tests(truth)] == ["1", "2"]


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        (None, "the ground truth is missing"),
        ("", "the ground truth is missing"),
        ("{", "ground truth: got '{', expected JSON"),
        (7, "ground truth: got '7'"),
        ([], "got 0 tests, expected 1 to 1000"),
        ({"inputs": [], "outputs": []}, "got 0 tests"),
        ({"inputs": ["1"] * 1001, "outputs": ["1"] * 1001}, "got 1001 tests"),
        ({"inputs": ["1"], "outputs": []}, "as many inputs as outputs"),
        ({"outputs": ["1"]}, "as many inputs as outputs"),
        ({"fn_name": "f", "inputs": [7], "outputs": [1]}, "inputs: got '7', expected a list of arguments"),
        (["assert f(1 =="], "expected Python"),
        ("not python at all", "expected Python"),
        ([1, 2], "ground truth: got"),
    ],
)
def test_tests_that_cannot_be_read_say_why(truth, reason):
    with pytest.raises(InputError) as caught:
        read_tests(truth)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("source", "noted", "right", "wrong"),
    [
        ("assert f(2) == 4", "__noted__.append(f(2))", [4], [5]),
        ("assert f(2) == (1, [2])", "__noted__.append(f(2))", [(1, [2])], [(1, [3])]),
        ("assert 4 == f(2)", "__noted__.append(f(2))", [4], [5]),
        ("assert f(2) != 4", "__noted__.append(f(2))", [5], [4]),
        ("assert f(2) is None", "__noted__.append(f(2))", [None], [0]),
        ("assert f(2) < 1.5", "__noted__.append(f(2))", [1], [2]),
        ("assert f(2)", "__noted__.append(bool(f(2)))", [True], [False]),
        ("assert not f(2), 'a message'", "__noted__.append(bool(not f(2)))", [True], [False]),
        ("assert f(2) == g(2)", "__noted__.append(bool(f(2) == g(2)))", [True], [1]),
        ("assert f(2) == 4\nassert f(3) == 9", "__noted__.append(f(2))\n__noted__.append(f(3))", [4, 9], [4]),
        ("x = f(2)\nassert x == 4", "x = f(2)\n__noted__.append(x)\n__noted__.append(True)", [4, True], [4]),
        ("check(f)", "check(f)\n__noted__.append(True)", [True], [1]),
    ],
)
def test_asserts_are_split_into_what_is_run_and_what_is_wanted(source, noted, right, wrong):
    test = split_asserts(source)
    assert test.source == noted
    assert test.passes(right)
    assert not test.passes(wrong)
    assert not test.passes("nothing")


def test_a_value_that_cannot_be_compared_does_not_pass():
    assert not split_asserts("assert f(2) < 4").passes(["four"])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(VALUES | st.sets(st.integers() | st.text()) | st.complex_numbers(allow_nan=False))
def test_every_value_comes_out_of_the_sandbox_as_it_was(value):
    got = read_value(json.dumps(plain(value)))
    assert got == value
    assert same(got, value)


@pytest.mark.parametrize(
    ("got", "wanted", "equal"),
    [
        ((1, [2]), [1, [2]], True),
        (0.1 + 0.2, 0.3, True),
        (1.0, 1, True),
        (True, 1, False),
        (1, True, False),
        (True, True, True),
        ([1], [1, 2], False),
        ({"a": (1,)}, {"a": [1]}, True),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({1, 2}, [1, 2], False),
        ("1", 1, False),
        (float("nan"), float("nan"), False),
        (10**400, 1e308, False),
        (float("inf"), float("inf"), True),
    ],
)
def test_what_is_the_same(got, wanted, equal):
    assert same(got, wanted) is equal


@pytest.mark.parametrize(
    "text", [None, "", "{", '{"odd": 1}', '{"int": "zz"}', "{}", "[" * 100_000, '{"set": [{"dict": []}]}']
)
def test_what_no_program_writes_cannot_be_read(text):
    with pytest.raises(Unreadable):
        read_value(text)


def test_values_that_are_no_data_cannot_leave():
    assert plain(np.array([1, 2])) == [1, 2]
    with pytest.raises(TypeError):
        plain(object())
