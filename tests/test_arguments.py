"""Arguments of the wrong type: every command says what it got and what it expects, and shows no name of its own."""

import pytest

from curriculum_verl import cli

PREPROCESS = ["preprocess", "-i", "bucketed", "-o", "out"]
SIMULATE = ["simulate", "recipe.yaml"]
WHOLE = "expected a whole number from 0 to 2**64 - 1"
COUNT = "expected a whole number of at least 1"
FILLED = "expected a text that is not blank"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*PREPROCESS, "-i", ""], "argument -i/--input: got '', expected a path"),
        ([*PREPROCESS, "-o", ""], "argument -o/--output: got '', expected a path"),
        ([*PREPROCESS, "--train-val-split", "abc"], "got 'abc', expected a number above 0 and below 1; see --no-val"),
        ([*PREPROCESS, "--pass-threshold", "nan"], "got 'nan', expected a finite number"),
        ([*PREPROCESS, "--pass-threshold", "x"], "got 'x', expected a finite number"),
        ([*PREPROCESS, "--seed", "0.5"], f"got '0.5', {WHOLE}"),
        ([*PREPROCESS, "--seed", str(2**64)], f"got '18446744073709551616', {WHOLE}"),
        ([*PREPROCESS, "--workers", "two"], f"got 'two', {COUNT}"),
        ([*PREPROCESS, "--combine", "--output-name", ""], f"argument --output-name: got '', {FILLED}"),
        ([*PREPROCESS, "--data-source", " "], f"argument --data-source: got ' ', {FILLED}"),
        ([*PREPROCESS, "--ability", ""], f"argument --ability: got '', {FILLED}"),
        ([*PREPROCESS, "--benchmark", ""], f"argument --benchmark: got '', {FILLED}"),
        ([*SIMULATE, "--steps", "0"], f"got '0', {COUNT}"),
        ([*SIMULATE, "--seed", "-1"], f"got '-1', {WHOLE}"),
        ([*SIMULATE, "--forget", "101"], "got '101', expected a number from 0 to 100"),
        ([*SIMULATE, "--learn-rate", "fast"], "got 'fast', expected a number from 0 to 100"),
        ([*SIMULATE, "--rollouts", ""], "argument --rollouts: got '', expected a path"),
        ([*SIMULATE, "--chart", ""], "argument --chart: got '', expected a path"),
        (["simulate", ""], "argument recipe: got '', expected a path"),
        (["check", ""], "argument recipe: got '', expected a path"),
    ],
)
def test_what_is_no_such_value_is_refused_in_words(capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert message in complaint
    assert "invalid" not in complaint
