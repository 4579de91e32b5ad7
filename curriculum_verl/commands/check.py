"""`curriculum-verl check`: validate a recipe and explain it in words."""

import argparse
from collections.abc import Sequence

from curriculum_verl.commands.arguments import path

EPILOG = """examples:
  curriculum-verl check examples/three_stages.yaml
  curriculum-verl check recipe.yaml --buckets easy medium hard
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="curriculum-verl check",
        description="Validate the curriculum block of a recipe - every mistake at once - and explain it in words.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", type=path, help="YAML file with a curriculum block")
    parser.add_argument(
        "--buckets",
        nargs="+",
        metavar="NAME",
        help="bucket names to check the mixes against (default: those of the recipe's manifest, if it is there)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the explanation; 0 if the recipe is valid."""
    args = build_parser().parse_args(argv)
    from curriculum_verl.commands.recipe import read_recipe
    from curriculum_verl.describe import describe
    from curriculum_verl.manifest import find_manifest

    config = read_recipe(args.recipe, args.buckets)
    manifest = find_manifest(config.data)
    if args.buckets:
        note = f"Bucket names were checked against {', '.join(args.buckets)}."
    elif manifest is not None:
        config = read_recipe(args.recipe, manifest.names)
        sizes = ", ".join(f"{name} ({prompts:,})" for name, prompts in manifest.sizes.items())
        note = f"Data {config.data}, easiest first: {sizes}."
    else:
        reason = f"there is no manifest at {config.data} yet" if config.data else "the recipe names no data"
        note = f"Bucket names were not checked: {reason}; --buckets checks them against a list."
    print(f"{args.recipe}: valid\n\n{describe(config)}\n\n{note}")
    return 0
