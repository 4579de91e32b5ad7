"""What all benchmarks share: rounds in turns, spreads, tables and verdicts, the header, the command line."""

import argparse
import json

import pytest


def test_all_take_a_turn_in_every_round_and_the_warm_up_does_not_count(load):
    measuring = load("measuring")
    said, calls = [], {"a": 0, "b": 0}

    def turn(name):
        calls[name] += 1
        return {"n": float(calls[name])}

    found = measuring.run_rounds({name: lambda name=name: turn(name) for name in calls}, 12, said.append, warm_up=1)
    assert found == {name: {"n": [float(number) for number in range(2, 14)]} for name in calls}
    order = [line.rpartition(" ")[2] for line in said]
    rounds = [order[start : start + 2] for start in range(0, len(order), 2)]
    assert all(sorted(pair) == ["a", "b"] for pair in rounds)
    assert len({tuple(pair) for pair in rounds}) == 2, "the order is always the same"


def test_a_ratio_is_that_of_each_round(load):
    measuring = load("measuring")
    assert measuring.ratio([2.0, 30.0, 3.0], [1.0, 10.0, 3.0]) == measuring.Spread(2.0, 1.0, 3.0)
    with pytest.raises(ValueError, match="zip"):
        measuring.ratio([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.00123, "0.0012"),
        (0.456, "0.456"),
        (9.87, "9.87"),
        (65.43, "65.4"),
        (1234.5, "1,234"),
        (-0.5, "-0.500"),
    ],
)
def test_a_number_has_three_digits_that_count(load, value, text):
    assert load("report").number(value) == text


def test_goals_of_several_contenders_stand_in_one_line_with_those_that_miss(load):
    report = load("report")
    goals = [report.Goal("cost", name, value, 2.0, True, "x") for name, value in (("a", 1.5), ("b", 2.0), ("c", 2.1))]
    goals += [report.Goal("speed", "", 5.0, 9.0, False), report.Goal("size", "a", 1.0, 1.0, True, undecided="by luck")]
    lines = report.render_goals(goals).splitlines()
    assert lines[2:] == [
        "| cost | <= 2.00 x | 2.10 x (c) to 1.50 x (a) | **NOT MET** by c |",
        "| speed | >= 9.00 | 5.00 | **NOT MET** |",
        "| size | <= 1.00 | 1.00 (a) | not decided: by luck |",
        "",
        "2 of 5 met",
    ]
    assert [goal["met"] for goal in report.as_json(goals)] == [True, True, False, False, False]


def test_the_header_names_machine_versions_and_load(load):
    machine, versions, used = load("machine").header("numpy", "no-such-package").splitlines()
    assert machine.startswith("- machine: ")
    assert "GiB of memory" in machine
    assert ", numpy " in versions
    assert "no-such-package" not in versions
    assert used.startswith("- load when it began: ")


def test_a_command_line_takes_whole_numbers_and_writes_json_where_it_is_asked(load, tmp_path):
    arguments, report = load("arguments"), load("report")
    read = arguments.whole(10)
    assert [read(text) for text in ("10", "1e6", "100,000")] == [10, 10**6, 10**5]
    for wrong in ("9", "10.5", "many", "nan", "inf"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"got '{wrong}', expected a whole number of at least 10"):
            read(wrong)
    given = arguments.parser("what", "examples").parse_args(["--json", str(tmp_path / "new" / "out.json")])
    report.write_json(given.json, {"a": 1})
    assert json.loads(given.json.read_text()) == {"a": 1}
    report.write_json(None, {})
