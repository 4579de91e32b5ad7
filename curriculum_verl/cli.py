"""`curriculum-verl <command>`: finds the command and hands over; nothing else is imported for --help."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from curriculum_verl import __version__
from curriculum_verl.commands.running import run
from curriculum_verl.errors import unknown_name

COMMANDS = {
    "generate": "have a model answer prompts several times, scored, as bucketing reads them",
    "bucket": "sort rollouts into ordered buckets of difficulty",
    "preprocess": "make training and validation data in verl's format of a bucket folder",
    "score-trajectories": "sort trajectories for supervised fine-tuning by their difficulty",
    "evaluate": "compare models and checkpoints on the same prompts, bucket by bucket",
    "analyze": "compare the trajectories of runs and checkpoints: lengths, tools, loops, success",
    "monitor": "watch runs while they train: reward, stages, buckets, responses",
    "check": "validate a recipe and explain it in words",
    "simulate": "try a curriculum without a model, against logged rollouts or a simple learner",
    "tune": "edit a recipe on a page that shows at once how its stages would go",
    "compare": "play several recipes with several seeds, side by side",
}

EPILOG = """examples:
  curriculum-verl generate --model MODEL --data tasks.parquet --out rollouts
  curriculum-verl preprocess -i bucketed -o preprocessed
  curriculum-verl check examples/three_stages.yaml
  curriculum-verl simulate examples/three_stages.yaml --steps 500
  curriculum-verl simulate --help
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; what follows the command is the command's own."""
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name.ljust(width)}  {words}" for name, words in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="curriculum-verl",
        description=f"Curriculum learning for the stock verl trainer.\n\ncommands:\n{listed}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("command", metavar="command", help="one of the commands above")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="see curriculum-verl COMMAND --help")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; errors meant for people are printed without a traceback."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command not in COMMANDS:
        parser.error(unknown_name("command", args.command, COMMANDS))
    command = importlib.import_module(f"curriculum_verl.commands.{args.command.replace('-', '_')}")
    return run(f"curriculum-verl {args.command}", command.main, args.arguments)


if __name__ == "__main__":
    sys.exit(main())
