"""The command in this process, from runs to a folder with a report."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from analysis.conftest import Command
from analysis.made_up import HABITS, write_lines

from curriculum_verl.analysis import writing

Read = Callable[[str], bytes]


def runs(logged: Path, *names: str) -> list[str]:
    return ["--runs", *(f"{name}={logged / name}" for name in names or HABITS)]


def test_three_runs_become_a_report(
    command: Command, logged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*runs(logged)) == 0
    out = capsys.readouterr().out
    assert "full against base, 60 shared prompts: clearly higher: success +" in out
    assert "base is stuck in a loop" in out
    found = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert (found["kind"], found["version"], found["length"]) == ("analysis", 1, "characters")
    assert [run["name"] for run in found["runs"]] == ["base", "coherence", "full"]
    assert found["runs"][0]["buckets"] == ["easy", "medium", "hard"]
    assert found["runs"][0]["stages"] == ["goal", "coherence", "everything"]
    [success] = [
        one
        for one in found["changes"]
        if (one["after"], one["before"], one["bucket"], one["measure"]) == ("full", "base", "(all)", "success")
    ]
    assert success["verdict"] == "clear"
    assert success["direction"] == "higher"
    assert success["change"]["low"] > 0.1
    assert found["contrasts"][0]["looping"]["in"] == "base"
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {*found["files"], "analysis.json"}
    table = pd.read_csv(tmp_path / "out" / "figures.csv")
    assert set(table.run) == set(HABITS)
    assert set(table.bucket) == {"easy", "medium", "hard", "(all)"}
    assert not [path for path in tmp_path.iterdir() if path.name != "out"], "nothing is left beside the folder"


def test_the_same_seed_gives_the_same_files_in_one_process_or_two(
    logged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curriculum_verl import cli

    monkeypatch.chdir(tmp_path)
    for number, more in enumerate((["--workers", "1"], ["--workers", "2"])):
        assert cli.main(["analyze", "--out", str(number), *runs(logged, "base", "full"), *more]) == 0
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("0", "1"))
    assert first.keys() == second.keys()
    differ = {name for name in first if first[name] != second[name]}
    assert differ == {"analysis.json", "report.html"}, "both name their command"
    told = [{k: v for k, v in json.loads(one["analysis.json"]).items() if k != "command"} for one in (first, second)]
    assert told[0] == told[1]


def test_a_part_of_the_runs_is_looked_at(command: Command, logged: Path, tmp_path: Path) -> None:
    given = ["--stage", "goal", "everything", "--bucket", "hard", "--steps", "2:11"]
    assert command(*runs(logged, "base", "full"), *given) == 0
    found = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert found["selection"] == {
        "steps": [2, 11],
        "stages": ["everything", "goal"],
        "buckets": ["hard"],
        "prompts": None,
    }
    assert [run["stages"] for run in found["runs"]] == [["goal", "everything"]] * 2
    assert [run["buckets"] for run in found["runs"]] == [["hard"]] * 2


def test_two_prompts_by_their_ids(command: Command, logged: Path, tmp_path: Path) -> None:
    assert command(*runs(logged, "base"), "--prompts", "task-3,task-7") == 0
    [run] = json.loads((tmp_path / "out" / "analysis.json").read_text())["runs"]
    assert run["responses"] == 16


def test_a_recipe_says_what_is_a_tool_and_what_passes(command: Command, tmp_path: Path) -> None:
    row = {"id": "1", "prompt": "?", "response": ["LOOK(x=1)", "LOOK(x=2)"], "reward": [0.3, 0.1]}
    path = write_lines(tmp_path / "a.jsonl", [row])
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("curriculum:\n  pass_threshold: 0.2\n  scoring:\n    operations: {weights: {LOOK: 1.0}}\n")
    assert command("--runs", f"a={path}", "--scoring", str(recipe)) == 0
    found = json.loads((tmp_path / "out" / "analysis.json").read_text())
    [figures] = found["figures"]
    assert found["pass_threshold"] == 0.2
    assert figures["measures"]["success"]["value"] == 0.5
    assert figures["measures"]["tool_use"]["value"] == 1.0
    assert command("--runs", f"a={path}", "--scoring", str(recipe), "--pass-threshold", "0.05", "--overwrite") == 0
    assert json.loads((tmp_path / "out" / "analysis.json").read_text())["pass_threshold"] == 0.05


def test_warnings_name_skipped_lines_and_unknown_tools(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"id": "1", "prompt": "?", "response": ['{"name": "FLY", "arguments": {}}'], "reward": [1.0]}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n{torn")
    assert command("--runs", f"a={path}") == 0
    out = capsys.readouterr().out
    assert f"warning: a: 1 line of 2 left out (not_json); the first: {path}:2: is not JSON" in out
    assert "warning: a: 1 call of operations that are not known count as malformed: FLY (1); name the recipe" in out
    assert "not_json" in (tmp_path / "out" / "skipped.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--runs", "base"], "expected NAME=PATH"),
        (["--runs", "a=x", "a=y"], "the name a stands twice"),
        (["--runs", "a=nowhere"], "there is no such file or folder"),
        (["--runs", "a=x", "--steps", "x"], "--steps: got 'x', expected FROM:TO"),
    ],
)
def test_mistakes_end_with_one_and_write_nothing(
    arguments: list[str], words: str, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*arguments) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "got no run, expected --runs NAME=PATH, or --generate"),
        (["--generate"], "--generate: got no model"),
        (["--generate", "--model", "a=b"], "--generate: got no prompts, expected --data or --tasks"),
        (["--runs", "a=b", "--data", "c"], "are for fresh trajectories, expected --generate beside them"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    arguments: list[str], words: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        command(*arguments)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_an_analysis_is_replaced_only_on_request_and_only_its_own_files(
    command: Command, logged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*runs(logged)) == 0
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert command(*runs(logged)) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert command(*runs(logged, "base"), "--overwrite") == 0
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "out" / "changes.png").exists(), "one run alone has no such picture"
    (tmp_path / "out" / "report.html").unlink()


def test_a_folder_of_other_files_is_left_alone(
    command: Command, logged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("")
    assert command(*runs(logged, "base")) == 1
    assert "holds thesis.tex" in capsys.readouterr().err


def test_what_fails_on_the_way_leaves_nothing(
    command: Command, logged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "page", fail)
    assert command(*runs(logged, "base")) == 1
    assert not list(tmp_path.iterdir())


def test_what_a_model_wrote_cannot_steer_the_terminal(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"id": "a\x1b[2J\nb", "prompt": "?", "response": ["The same.\nZOOM_IN(x=1)\n" * 6, "READ_TEXT(x=1)"]}
    rows = [{**row, "reward": [0.0, 1.0], "bucket": f"\x1b[31m{n}", "stage": f"\x1b]0;{n}"} for n in range(2)]
    path = write_lines(tmp_path / "a.jsonl", rows)
    assert command("--runs", f"a={path}") == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "To prompt a\\x1b[2J b, " in out
