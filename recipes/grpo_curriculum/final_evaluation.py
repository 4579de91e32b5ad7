"""What ends a run: the model it began with, that of every stage and the last one, side by side on the held-out prompts.

run.sh calls it, with what it tells verl. A run that was evaluated before is not sampled again.
"""
# ruff: noqa: T201  # a command

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import evaluations
import preflight
import yaml

from curriculum_verl.atomic import replacing
from curriculum_verl.commands.running import run

SCORING = "scoring.yaml"


def read_config(recipe: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """The run's whole config, by dotted key."""
    from omegaconf import OmegaConf  # noqa: TID251  # above the engine

    with contextlib.redirect_stdout(sys.stderr):  # whatever verl has to say
        plain: Any = OmegaConf.to_container(preflight.compose(recipe, overrides), resolve=True)
    return evaluations.flat(plain) | {"curriculum.scoring": (plain.get("curriculum") or {}).get("scoring")}


def build_command(args: argparse.Namespace, known: Mapping[str, Any]) -> list[str]:
    """The command of `evaluate`."""
    output = Path(known["trainer.default_local_dir"])
    given = [*([f"--ray={args.ray_address}"] if args.ray_address else []), *args.evaluate_with]
    told = evaluations.options(known, output / SCORING, args.responses, given, cpu=args.cpu)
    models = [f"before={evaluations.beginning(known, args.model)}"]
    return evaluations.command(
        models, args.data, output / evaluations.REPORT, args.model, ["--run", str(output), *told]
    )


def build_parser() -> argparse.ArgumentParser:
    """The command line; run.sh has the one for people."""
    parser = argparse.ArgumentParser(description="Evaluate a run by recipe, model, data and overrides of run.sh.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--responses", required=True)
    parser.add_argument("--evaluate-with", action="append", default=[], metavar="OPTION")
    parser.add_argument("--ray-address")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("overrides", nargs="*")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the evaluation."""
    args = build_parser().parse_args(argv)
    known = read_config(args.recipe, args.overrides)
    if int(known["trainer.save_freq"]) <= 0:
        print("no final evaluation: trainer.save_freq is not above 0, so that the run keeps no checkpoint")
        return 0
    command = build_command(args, known)
    print(shlex.join(command), flush=True)
    if args.dry_run:
        return 0
    if known["curriculum.scoring"] is not None:
        with replacing(Path(known["trainer.default_local_dir"]) / SCORING) as file:
            file.write(yaml.safe_dump({"scoring": known["curriculum.scoring"]}).encode())
    return os.execv(command[0], command)  # so that a signal meets the evaluation itself


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())  # as in preflight.py: where `python -m` will find the user's own modules
    sys.exit(run("final_evaluation.py", main))
