"""`curriculum-verl compare`: play several recipes with several seeds, side by side."""

import argparse
from collections.abc import Sequence

from curriculum_verl.commands.arguments import count, path
from curriculum_verl.commands.simulating import (
    BUCKETS,
    add_prompts,
    add_run,
    find_prompts,
    learner_settings,
    run_settings,
)

DESCRIPTION = """Play recipes - the engine itself - on the same prompts, each with several seeds, and show side by side
when their stages begin, what every bucket took, rollbacks, and how well every bucket is solved at the end, with the
spread over the seeds. With rollouts the learner starts where they stand."""

EPILOG = f"""{BUCKETS}

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
    parser.add_argument("--as-logged", action="store_true", help="with --rollouts: responses are those of the log")
    parser.add_argument("--seeds", type=count, default=3, help="runs of each recipe (%(default)s)")
    parser.add_argument("--out", type=path, metavar="DIR", help="write comparison.json, .csv and .png there")
    add_run(parser, steps=300)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, and write the files that are asked for."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.as_logged and not args.rollouts:
        parser.error("--as-logged: needs --rollouts")
    if args.out is not None and args.out.exists() and not args.out.is_dir():
        parser.error(f"--out: {args.out} is a file, expected a folder")
    import logging

    from curriculum_verl.commands.recipe import read_recipe
    from curriculum_verl.tuning.comparing import compare, side_by_side, write
    from curriculum_verl.tuning.trial import Setting

    logging.getLogger("curriculum_verl.curriculum").setLevel(logging.ERROR)  # every seed would warn of the same
    recipes = list(dict.fromkeys(map(str, args.recipes)))
    prompts = find_prompts(args, [read_recipe(recipe) for recipe in recipes])
    configs = {recipe: read_recipe(recipe, prompts.buckets) for recipe in recipes}
    setting = Setting(run_settings(args), learns=not args.as_logged, learner=learner_settings(args))
    compared = compare(configs, prompts, setting, range(args.seeds))
    sizes = ", ".join(f"{name} ({size:,})" for name, size in prompts.sizes.items())
    print(f"Prompts, easiest bucket first: {sizes}.")
    print(f"Means over {args.seeds} seeds, with the least and the greatest.\n")
    print(side_by_side(compared))
    if args.out is not None:
        print("\n" + "\n".join(f"written: {file}" for file in write(compared, setting, args.out)))
    return 0
