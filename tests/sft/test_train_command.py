import subprocess
import sys
from pathlib import Path

import pytest

from curriculum_verl import train

ROOT = Path(__file__).parents[2]


def test_help_comes_before_anything_is_imported() -> None:
    probe = "import sys; from curriculum_verl import train; train.build_parser().format_help(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "numpy", "yaml", "msgspec"} & set(done.stdout.split())
    assert (
        "--mode {sft,rft}"
        in subprocess.run(
            [sys.executable, "-m", "curriculum_verl.train", "--help"], capture_output=True, text=True, check=True
        ).stdout
    )


def test_mistakes_of_a_recipe_are_told_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "curriculum_verl.train", "--mode", "sft", "--config"]
    recipe = ROOT / "recipes" / "sft_curriculum" / "sft.yaml"
    done = subprocess.run([*command, recipe, "training.maxsteps=3"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "model.path: is missing" in done.stderr
    assert "did you mean 'max_steps'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("order", ["before", "after"])
def test_options_and_overrides_may_stand_in_any_order(order: str) -> None:
    options = ["--mode", "sft", "--config", "x.yaml"]
    overrides = ["a=1", "b=2"]
    parser = train.build_parser()
    args = parser.parse_intermixed_args([*overrides, *options] if order == "before" else [*options, *overrides])
    assert args.overrides == overrides
    assert args.resume is None
    assert parser.parse_intermixed_args([*options, "--resume"]).resume == "auto"


def test_a_setting_behind_resume_is_no_checkpoint(tmp_path: Path) -> None:
    args = train.parse_arguments(["--mode", "sft", "--config", "x.yaml", "--resume", "a=1", "b=2"])
    assert (args.resume, args.overrides) == ("auto", ["a=1", "b=2"])
    odd = tmp_path / "lr=1"
    odd.mkdir()
    assert train.parse_arguments(["--mode", "sft", "--config", "x.yaml", "--resume", str(odd)]).resume == str(odd)


def test_reinforcement_is_handed_to_verl(tmp_path: Path) -> None:
    command = train.rft_command(ROOT / "recipes/grpo_curriculum/lora.yaml", ["trainer.nnodes=2"])
    where = ["--config-path", str(ROOT / "recipes/grpo_curriculum"), "--config-name", "lora"]
    assert command[1:] == ["-m", "verl.trainer.main_ppo", *where, "trainer.nnodes=2"]
    resumed = train.rft_command(tmp_path / "x.yaml", [], str(tmp_path / "global_step_3"))
    assert resumed[-2:] == ["trainer.resume_mode=resume_path", f"trainer.resume_from_path={tmp_path}/global_step_3"]
    assert train.rft_command(tmp_path / "x.yaml", [], "auto")[-1] == "trainer.resume_mode=auto"
