"""The commands as a user meets them: help, errors, exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

from curriculum_verl import cli

EXAMPLES = Path(__file__).parent.parent / "examples"
RECIPE = str(EXAMPLES / "three_stages.yaml")


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    probe = (
        "import sys; from curriculum_verl import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'numpy', 'yaml', 'msgspec', 'matplotlib', 'pyarrow'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("[]\n")
    assert all(f"  {command}" in run.stdout for command in cli.COMMANDS)
    assert "examples:" in run.stdout


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert f"usage: curriculum-verl {command}" in out
    assert f"curriculum-verl {command} " in out.split("examples:")[1]


def test_a_misspelt_command_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["simulat"])
    assert end.value.code == 2
    assert "did you mean 'simulate'?" in capsys.readouterr().err


def test_check_explains_a_recipe_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", RECIPE]) == 0
    out = capsys.readouterr().out
    for words in (
        "Stage 2 of 3: learn_coherence",
        "40% easy, 60% medium",
        "the mean of train/success_rate over the stage's last 20 values is above 0.85 or stage/steps is at least 200",
        "val/medium/score is above 0.6 with 95% confidence",
        "At least 10% of every batch stays for the buckets of earlier stages.",
        "Bucket names were not checked",
    ):
        assert words in out


def test_check_lists_every_mistake_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "bad.yaml"
    recipe.write_text("curriculum:\n  polcy: {}\n  stages:\n    - {name: a, mix: {esy: 0.5}, rewards: {finl: 1}}\n")
    assert cli.main(["check", str(recipe), "--buckets", "easy", "hard"]) == 1
    err = capsys.readouterr().err
    assert "4 problems" in err
    assert all(near in err for near in ("'policy'?", "'easy'?", "'final'?", "sum to 0.5"))
    assert "Traceback" not in err


def test_check_uses_the_manifest_that_the_recipe_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text('{"version": 1, "ids_hash": "x", "buckets": [{"name": "easy", "prompts": 1200}]}')
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"curriculum:\n  data: {manifest}\n  stages: [{{name: a, mix: {{easy: 1.0}}}}]\n")
    assert cli.main(["check", str(recipe)]) == 0
    assert "easy (1,200)" in capsys.readouterr().out
    recipe.write_text(f"curriculum:\n  data: {manifest}\n  stages: [{{name: a, mix: {{hard: 1.0}}}}]\n")
    assert cli.main(["check", str(recipe)]) == 1
    assert "unknown bucket 'hard', expected one of easy" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", RECIPE, "--steps", "0"],
        ["simulate", RECIPE, "--as-logged"],
        ["simulate", RECIPE, "--seed", "-1"],
        ["simulate", RECIPE, "--learn-rate", "nan"],
    ],
)
def test_simulate_refuses_a_command_line_that_makes_no_sense(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    assert "expected" in (err := capsys.readouterr().err) or "needs --rollouts" in err


def test_a_chart_that_cannot_be_written_is_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chart = str(tmp_path / "no" / "such" / "folder.png")
    with pytest.raises(SystemExit):
        cli.main(["simulate", RECIPE, "--chart", chart])
    out, err = capsys.readouterr()
    assert "--chart: there is no folder" in err
    assert not out, "known before anything was simulated"
