"""One entry for both halves: `python -m curriculum_verl.train --mode sft|rft --config RECIPE.yaml [key=value ...]`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from curriculum_verl.commands.arguments import path
from curriculum_verl.commands.running import run

EPILOG = """examples:
  python -m curriculum_verl.train --mode sft --config recipes/sft_curriculum/sft.yaml model.path=models/tiny
  python -m curriculum_verl.train --mode sft --config sft.yaml --resume            # from the last checkpoint
  torchrun --nproc-per-node 4 -m curriculum_verl.train --mode sft --config sft.yaml
  python -m curriculum_verl.train --mode rft --config recipes/grpo_curriculum/three_stages.yaml \\
      actor_rollout_ref.model.path=runs/sft/final curriculum.data=preprocessed/manifest.json
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m curriculum_verl.train",
        description="Train with a curriculum: supervised fine-tuning, or GRPO by verl's own trainer.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mode", choices=["sft", "rft"], required=True, help="sft: fine-tuning; rft: verl's main_ppo")
    parser.add_argument("--config", type=path, required=True, metavar="RECIPE", help="the recipe, a YAML file")
    parser.add_argument(
        "--resume", nargs="?", const="auto", metavar="CHECKPOINT", help="go on from a checkpoint, or the last one"
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="what to change in the recipe")
    return parser


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, read; a setting behind --resume is one, and no checkpoint."""
    args = build_parser().parse_intermixed_args(argv)
    if args.resume is not None and "=" in args.resume and not Path(args.resume).exists():
        args.overrides.insert(0, args.resume)
        args.resume = "auto"
    return args


def rft_command(recipe: Path, overrides: Sequence[str], resume: str | None = None) -> list[str]:
    """How verl's trainer is started on a GRPO recipe."""
    settings = [] if resume is None else ["trainer.resume_mode=auto"]
    if resume not in (None, "auto"):
        settings = ["trainer.resume_mode=resume_path", f"trainer.resume_from_path={Path(str(resume)).absolute()}"]
    recipe = recipe.absolute()
    where = ["--config-path", str(recipe.parent), "--config-name", recipe.stem]
    return [sys.executable, "-m", "verl.trainer.main_ppo", *where, *settings, *overrides]


def main(argv: Sequence[str] | None = None) -> int:
    """Train to the end."""
    args = parse_arguments(argv)
    if args.mode == "rft":
        command = rft_command(args.config, args.overrides, args.resume)
        sys.stdout.flush()
        os.execv(command[0], command)  # signals and the exit code are verl's from here on
    from curriculum_verl.sft.config import read_config

    config = read_config(args.config, args.overrides)
    from curriculum_verl.sft.run import run_sft

    run_sft(config, args.resume)
    return 0


if __name__ == "__main__":
    sys.exit(run("curriculum_verl.train", main))
