import json
import math

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
        ("18", "test: got '18', which asserts nothing: every program would pass it"),
        (["x = 1"], "asserts nothing"),
        ([""], "asserts nothing"),
        (["print(2)"], "asserts nothing"),
        (["assert f(1) == 2", "check(f)"], "test: got 'check(f)', which asserts nothing"),
        (["def check(f):\n    assert f(1) == 2"], "asserts nothing"),
        (["assert True"], "asserts nothing"),
        (["x = 2\nassert 1 + 1 == 2"], "asserts nothing"),
        (["assert (f(1) == 2, 'a message')"], "asserts a tuple, and that is always true"),
        ("not python at all", "expected Python"),
        ([1, 2], "ground truth: got"),
    ],
)
def test_tests_that_cannot_be_read_say_why(truth, reason):
    with pytest.raises(InputError) as caught:
        read_tests(truth)
    assert reason in str(caught.value)


def within(truth):
    return f"__note__(True if {truth} else False)"


CHECK = "def check(f):\n    assert f(2) == 4\ncheck(f)"


@pytest.mark.parametrize(
    ("source", "noted", "right", "wrong"),
    [
        ("assert f(2) == 4", "__note__(f(2))", [4], [5]),
        ("assert f(2) == (1, [2])", "__note__(f(2))", [(1, [2])], [(1, [3])]),
        ("assert 4 == f(2)", "__note__(f(2))", [4], [5]),
        ("assert f(2) != 4", "__note__(f(2))", [5], [4]),
        ("assert f(2) is None", "__note__(f(2))", [None], [0]),
        ("assert f(2) < 1.5", "__note__(f(2))", [1], [2]),
        ("assert f(2) in (4, 5)", "__note__(f(2))", [5], [6]),
        ("assert 4 in f(2)", "__note__(f(2))", [[4]], [[5]]),
        ("assert 1 <= f(2) < 3", "__note__(f(2))", [2], [3]),
        ("assert not f(2) == 4", "__note__(f(2))", [5], [4]),
        ("assert f(2) == 4 and f(3) > 8", "__note__(f(2))\n__note__(f(3))", [4, 9], [4, 8]),
        ("assert f(2) == sorted([3, 1])", "__note__(f(2))", [[1, 3]], [[3, 1]]),
        ("assert f(2) == [0] * 2 + [2 ** 3]", "__note__(f(2))", [[0, 0, 8]], [[0, 0, 9]]),
        ("assert f(2) == -math.inf", "__note__(f(2))", [-math.inf], [math.inf]),
        ("assert set(f(3)) == set([1])", "__note__(__saved__['set'](f(3)))", [{1}], [{2}]),
        ("assert abs(f(2) - 3.5) < 0.1", "__note__(f(2))", [3.45], [3.0]),
        ("assert abs(1 / 2 - f(2)) < 0.1", "__note__(f(2))", [0.45], ["0.5"]),
        ("assert math.isclose(f(2), 3.5, rel_tol=0.1)", "__note__(f(2))", [3.4], [2.5]),
        ("assert sum(10, 15) == 6", "__note__(sum(10, 15))", [6], [7]),
        ("assert max([1, 2]) == 2", "__note__(max([1, 2]))", [2], [1]),
        (
            "a = [1]\nassert max(a) == 2",
            "a = [1]\n__note__(max(a))\n__note__(True)",
            [2, True],
            [1, True],
        ),
        ("assert f(help) == __name__", within("f(help) == __name__"), [True], [False]),
        ("assert f(2)", within("f(2)"), [True], [False]),
        ("assert not f(2), 'a message'", within("not f(2)"), [True], [False]),
        ("assert f(2) == g(2)", within("f(2) == g(2)"), [True], [1]),
        ("assert all(f(x) for x in 'ab')", within("__saved__['all']((f(x) for x in 'ab'))"), [True], [False]),
        ("assert f(2) == 4\nassert f(3) == 9", "__note__(f(2))\n__note__(f(3))", [4, 9], [4]),
        ("x = f(2)\nassert x == 4", "x = f(2)\n__note__(x)\n__note__(True)", [4, True], [4]),
        (CHECK, CHECK + "\n__note__(True)", [True], [1]),
    ],
)
def test_asserts_are_split_into_what_is_run_and_what_is_wanted(source, noted, right, wrong):
    test = split_asserts(source)
    assert test.source == noted
    assert test.passes(right)
    assert not test.passes(wrong)
    assert not test.passes("nothing")


@pytest.mark.parametrize("source", ["assert f(2) < 4", "assert not f(2) < 4", "assert abs(f(2) - 4) < 1"])
def test_a_value_that_cannot_be_compared_does_not_pass(source):
    assert split_asserts(source).passes(["four"]) is False
    assert split_asserts(source).passes([{"a": 1}]) is False


@pytest.mark.parametrize(
    ("got", "operation", "wanted"),
    [
        ((1, 2), "==", [1, 2]),
        ((1, 2), "!=", [1, 2]),
        ({"a": (1,)}, "==", {"a": [1]}),
        (1, "==", True),
        (True, "==", 1),
        (1, "is", True),
        (True, "is not", True),
        (1e-10, "==", 0),
        (0.1 + 0.2, "==", 0.3),
        (2.0, "==", 2),
        ("a", "in", "abc"),
        (1, "not in", {1, 2}),
        ((1, 2), "<", (1, 3)),
    ],
)
def test_an_assert_compares_as_python_does(got, operation, wanted):
    test = split_asserts(f"assert f() {operation} {wanted!r}")
    value = read_value(json.dumps(plain(got)))
    assert test.source == "__note__(f())"
    assert test.passes([value]) is eval(f"got {operation} wanted")


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
