"""What the launch script of the recipe says; the docs run it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "recipes" / "sft_curriculum"


def launch(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [FOLDER / "run.sh", *arguments]
    return subprocess.run(command, env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True)


def test_what_is_missing_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoint-3").mkdir(parents=True)
    for name in ("curriculum.json", "trainer_state.json"):
        (tmp_path / "run" / "checkpoint-3" / name).write_text("{}")
    done = launch("--model", tmp_path, "--data", tmp_path, "--gpus", "99", f"training.output={tmp_path / 'run'}")
    assert done.returncode == 1
    assert "lacks config.json, a tokenizer" in done.stdout
    assert f"data.train: there is no {tmp_path}/train.jsonl" in done.stdout
    assert f"data.validation: there is no {tmp_path}/validation.jsonl" in done.stdout
    assert "holds a run; go on with it by --resume" in done.stdout
    assert "--gpus 99: got" in done.stdout
    assert done.stderr == "run.sh: nothing was started\n"


def test_mistakes_of_recipe_and_usage(tmp_path: Path) -> None:
    done = launch("training.schedule=7")
    assert "  - model.path: is missing" in done.stdout
    assert "  - training.schedule: got 7, expected one of 'linear', 'cosine'" in done.stdout
    for wrong in (["--modl", "x"], ["--model"], ["--gpus", "none"]):
        assert launch(*wrong).returncode == 2
    assert launch("--help").stdout.startswith("usage: run.sh")


def test_a_dry_run_shows_the_command(toy: Path, tmp_path: Path) -> None:
    options = ["--data", toy, "--model", toy / "model", "--resume", "--dry-run", f"training.output={tmp_path / 'a b'}"]
    shown = launch(*options)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    words = shlex.split(shown.stdout.splitlines()[-1])
    assert words[1:5] == ["-m", "curriculum_verl.train", "--mode", "sft"]
    assert "--resume" in words
    assert words[-1] == f"training.output={tmp_path}/a b"
    assert not (tmp_path / "a b").exists()
