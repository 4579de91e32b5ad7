"""What a run needs, looked at before anything is started: every problem at once, each with what to do.

run.sh calls it. The last lines of its output are the problems, or the folder that the run writes to.
"""
# ruff: noqa: T201  # a command, above the engine

import argparse
import contextlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import checks
import evaluations


def compose(recipe: Path, overrides: Sequence[str]) -> Any:
    """The whole config, as verl will compose it."""
    import hydra

    with hydra.initialize_config_dir(str(recipe.parent), version_base=None):
        return hydra.compose(recipe.stem, list(overrides))


def collect(args: argparse.Namespace) -> tuple[list[str], Path]:
    """Every problem, and the folder that the run writes to."""
    problems = [*checks.check_python(), *checks.check_model(args.model)]
    if not all(map(importlib.util.find_spec, ("verl", "curriculum_verl"))):
        return problems, Path()  # nothing more can be asked
    try:
        config = compose(args.recipe, args.overrides)
        output = Path(config.trainer.default_local_dir)
    except Exception as error:  # Hydra, OmegaConf and a broken verl each have their own; all end up before the user
        return [*problems, f"{args.recipe.name} cannot be composed: {error}"], Path()
    problems += checks.check_config(config)
    problems += checks.check_output(output, args.resume, args.fresh, shared=args.ray_address is not None)
    problems += checks.check_devices(config, args.ray_address)
    problems += checks.check_disk(config, output, args.model)
    problems += evaluations.problems(args.evaluate_with)
    return problems, output


def build_parser() -> argparse.ArgumentParser:
    """The command line; run.sh has the one for people."""
    parser = argparse.ArgumentParser(description="Check what a run needs; print its output folder.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--resume")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--ray-address")
    parser.add_argument(
        "--evaluate-with", action="append", default=[], metavar="OPTION", help="of the final evaluation"
    )
    parser.add_argument("overrides", nargs="*")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """0 if nothing stands in the way of a run."""
    args = build_parser().parse_args(argv)
    with contextlib.redirect_stdout(sys.stderr):  # whatever verl has to say
        problems, output = collect(args)
    print("\n".join(f"  - {problem}" for problem in problems) or output)
    return min(1, len(problems))


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())  # where `python -m` will find the user's own modules
    sys.exit(main())
