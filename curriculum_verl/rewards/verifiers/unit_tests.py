"""The unit tests of a code task: reading them from the data, and judging what the sandbox says of each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.sandbox.running import Program, Run
from curriculum_verl.rewards.verifiers.asserts import split_asserts
from curriculum_verl.rewards.verifiers.data import from_json, plain
from curriculum_verl.rewards.verifiers.values import Unreadable, read_value, same

_EXAMPLES = (
    "{inputs: [...], outputs: [...]} with perhaps fn_name, {assert_case: [...]}, or a list of assert statements; "
    "as a mapping, a list, or JSON"
)
_MOST_TESTS = 1000


@dataclass(frozen=True, slots=True)
class UnitTest:
    """What is run, and whether what came of it is right."""

    program: Program
    judge: Callable[[Run], bool]

    def passed(self, run: Run) -> bool:
        """Only a program that ended well can pass."""
        return run.ended == "finished" and self.judge(run)


def read_tests(truth: Any) -> list[UnitTest]:
    """The tests of a task, in the order of the data."""
    if truth is None or truth == "":
        raise InputError(f"the ground truth is missing, expected {_EXAMPLES}")
    if isinstance(truth, str) and truth.lstrip()[:1] in ("{", "["):
        truth = from_json(truth, "ground truth")
    truth = [truth] if isinstance(truth, str) else plain(truth)
    tests = list(_tests(truth))
    if not tests or len(tests) > _MOST_TESTS:
        raise InputError(f"ground truth: got {len(tests)} tests, expected 1 to {_MOST_TESTS}")
    return tests


def _tests(truth: Any) -> Iterator[UnitTest]:
    if isinstance(truth, Mapping):
        yield from _in_mapping(truth)
    elif isinstance(truth, list) and all(isinstance(source, str) for source in truth):
        yield from map(_assert_test, truth)
    else:
        raise InputError(f"ground truth: got {str(truth)[:60]!r}, expected {_EXAMPLES}")


def _in_mapping(truth: Mapping[str, Any]) -> Iterator[UnitTest]:
    asserts = truth.get("assert_case") or truth.get("asserts")
    if asserts:
        yield from _tests(asserts)
        return
    inputs, outputs = truth.get("inputs"), truth.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise InputError(
            f"ground truth: got {str(dict(truth))[:60]!r}, expected {_EXAMPLES}, as many inputs as outputs"
        )
    function = truth.get("fn_name")
    for given, wanted in zip(inputs, outputs, strict=True):
        yield _call_test(str(function), given, wanted) if function else _stdin_test(given, wanted)


def _assert_test(source: str) -> UnitTest:
    test = split_asserts(source)
    return UnitTest(Program("evaluate", source=test.source), lambda run: test.passes(_value(run)))


def _stdin_test(given: Any, wanted: Any) -> UnitTest:
    expected = _lines(wanted)
    text = given if isinstance(given, str) else "\n".join(_as_lines(given))
    return UnitTest(Program("stdin", stdin=text), lambda run: _lines(run.output) == expected)


def _call_test(function: str, given: Any, wanted: Any) -> UnitTest:
    """The arguments are a list, or text with one argument in JSON on each line; the data of APPS put the value that is
    wanted into a list of its own, others do not: both are accepted.
    """
    arguments = [from_json(line, "inputs") for line in given.splitlines()] if isinstance(given, str) else given
    if not isinstance(arguments, list):
        raise InputError(f"inputs: got {str(given)[:60]!r}, expected a list of arguments")
    values = [wanted]
    if isinstance(wanted, str):
        values += _maybe_json(wanted)
    if isinstance(wanted, list) and len(wanted) == 1:
        values.append(wanted[0])
    program = Program("call", function=function, arguments=tuple(arguments))
    return UnitTest(program, lambda run: any(same(_value(run), value) for value in values))


def _maybe_json(text: str) -> list[Any]:
    try:
        return [from_json(text, "outputs")]
    except InputError:
        return []


_NOTHING = object()


def _value(run: Run) -> Any:
    try:
        return read_value(run.value)
    except Unreadable:
        return _NOTHING


def _lines(text: Any) -> list[str]:
    """Lines without what cannot be seen: spaces at their ends, empty lines at the end of all."""
    whole = text if isinstance(text, str) else "\n".join(_as_lines(text))
    return [line.rstrip() for line in whole.rstrip().split("\n")]


def _as_lines(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
