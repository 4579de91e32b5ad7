"""`curriculum-verl compare`: play several recipes with several seeds, side by side."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import count, path
from curriculum_verl.commands.simulating import (
    PROMPTS,
    add_as_logged,
    add_prompts,
    add_run,
    check_as_logged,
    find_prompts,
    learner_settings,
    run_in_words,
    run_settings,
)

if TYPE_CHECKING:
    from curriculum_verl.curriculum.config import CurriculumConfig
    from curriculum_verl.simulation.comparing import Compared

DESCRIPTION = """Play recipes - the engine itself - on the same prompts, each with several seeds, and show side by side
when their stages begin, what every bucket took, rollbacks, how well every bucket is solved at the end, and the tokens
until a mean pass rate is reached, with the spread over the seeds. Each recipe is played as the run that it asks for:
other steps or batches than the rest's are its own; --steps and --batch make them alike."""

EPILOG = f"""{PROMPTS}

examples:
  curriculum-verl compare examples/three_stages.yaml examples/posterior.yaml examples/uniform.yaml --seeds 5
  curriculum-verl compare a.yaml b.yaml --rollouts bucketed/ --out comparison
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="curriculum-verl compare",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipes", type=path, nargs="+", metavar="RECIPE", help="YAML files with a curriculum block")
    add_prompts(parser)
    add_as_logged(parser)
    parser.add_argument("--seeds", type=count, default=3, help="runs of each recipe (%(default)s)")
    parser.add_argument("--out", type=path, metavar="DIR", help="write comparison.json, .csv and .png there")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier comparison there")
    add_run(parser, steps=300)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, and write the files that are asked for."""
    parser = build_parser()
    args = parser.parse_args(argv)
    check_as_logged(parser, args)
    if args.overwrite and args.out is None:
        parser.error("--overwrite: needs --out")
    if args.out is None:
        _compare(args)
        return 0
    if args.out.exists() and not args.out.is_dir():
        parser.error(f"--out: {args.out} is a file, expected a folder")
    from curriculum_verl.outputs import publish, refuse_used, work_folder
    from curriculum_verl.simulation.comparison_files import NAME, write

    refuse_used(args.out, args.overwrite)
    with work_folder(args.out) as aside:  # at once: where nothing can be written, nothing need be played
        names = write(_compare(args), aside / "made")
        publish(aside / "made", args.out, NAME)
    print("\n" + "\n".join(f"written: {args.out / name}" for name in names))
    return 0


def _compare(args: argparse.Namespace) -> "dict[str, Compared]":
    """Play the recipes and print what came of it."""
    import logging

    from curriculum_verl.simulation.comparing import compare, remarks, side_by_side
    from curriculum_verl.simulation.setup import Setup
    from curriculum_verl.words import counted

    logging.getLogger("curriculum_verl.curriculum").setLevel(logging.ERROR)  # what it warns of is printed once
    recipes = list(dict.fromkeys(args.recipes))
    prompts = find_prompts(args, list(_read(recipes).values()))
    configs = _read(recipes, prompts.buckets)
    logged, learner = bool(args.rollouts), learner_settings(args)
    setups = {
        str(recipe): Setup(run_settings(args, recipe), learns=not args.as_logged, learner=learner) for recipe in recipes
    }
    print("\n".join([*prompts.in_words(), setups[str(recipes[0])].model_in_words(logged=logged)]))
    print("\n".join(f"{recipe}\n  {run_in_words(args, recipe)}" for recipe in recipes))
    compared = compare(configs, prompts, setups, range(args.seeds))
    print(f"Means over {counted(args.seeds, 'seed')}, with the least and the greatest.\n")
    print(side_by_side(compared))
    if found := remarks(compared):
        print("\n" + "\n".join(found))
    return compared


def _read(recipes: Sequence[Path], buckets: Sequence[str] | None = None) -> "dict[str, CurriculumConfig]":
    """The configs; what is wrong with any of the recipes is said at once."""
    from curriculum_verl.commands.recipe import read_recipe
    from curriculum_verl.errors import ConfigError, InputError

    configs, wrong = {}, []
    for recipe in recipes:
        try:
            configs[str(recipe)] = read_recipe(recipe, buckets)
        except ConfigError as error:
            wrong.append(str(error))
    if wrong:
        raise InputError("\n".join(wrong))
    return configs
