"""`curriculum-verl simulate`: try a curriculum without a model."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import path
from curriculum_verl.commands.simulating import (
    BUCKETS,
    add_prompts,
    add_run,
    find_prompts,
    learner_settings,
    run_settings,
)

if TYPE_CHECKING:
    from curriculum_verl.simulation.prompts import Prompts

DESCRIPTION = """Play a curriculum - the engine itself - against logged rollouts, or against a learner whose pass rates
grow with practice, carry over to neighbouring buckets and are forgotten without replay. Prints the timeline of stages
and what every bucket took, and draws a chart. The learner shows how a recipe behaves; it predicts no model."""

EPILOG = f"""{BUCKETS}

examples:
  curriculum-verl simulate examples/three_stages.yaml
  curriculum-verl simulate recipe.yaml --rollouts bucketed/            # the logged scores, as they are
  curriculum-verl simulate recipe.yaml --rollouts bucketed/ --learner  # a learner that starts where the log stands
  curriculum-verl simulate --compare examples/three_stages.yaml examples/posterior.yaml --steps 500
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="curriculum-verl simulate",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", type=path, nargs="?", help="YAML file with a curriculum block")
    parser.add_argument("--compare", type=path, nargs="+", metavar="RECIPE", help="several recipes on the same prompts")
    add_prompts(parser)
    parser.add_argument("--learner", action="store_true", help="with --rollouts: a learner starts where the log stands")
    parser.add_argument("--chart", type=path, default=Path("simulation.png"), help="PNG to write (%(default)s)")
    parser.add_argument("--no-chart", action="store_true", help="write no PNG")
    add_run(parser, steps=300)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report and write the chart."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if bool(args.recipe) == bool(args.compare):
        parser.error("expected either one RECIPE or --compare with several")
    if args.learner and not args.rollouts:
        parser.error("--learner: needs --rollouts; without them a learner on invented prompts is what is simulated")
    if not args.no_chart and not args.chart.absolute().parent.is_dir():
        parser.error(f"--chart: there is no folder {args.chart.parent}; make it, or name a file in one that is there")
    from curriculum_verl.commands.recipe import read_recipe
    from curriculum_verl.simulation.report import comparison, report
    from curriculum_verl.simulation.run import simulate

    recipes = list(dict.fromkeys(str(recipe) for recipe in args.compare or [args.recipe]))
    prompts = find_prompts(args, [read_recipe(recipe) for recipe in recipes])
    configs = {recipe: read_recipe(recipe, prompts.buckets) for recipe in recipes}
    run = run_settings(args)
    print(_prompts_in_words(args, prompts))
    traces = {}
    for recipe, config in configs.items():
        world = prompts.world(config.pass_threshold, learns=args.learner, **learner_settings(args))
        traces[recipe] = simulate(config, world, run, recipe)
        print(f"\n{recipe}\n{report(traces[recipe], config, run)}")
    if len(traces) > 1:
        print(f"\nside by side\n{comparison(traces)}")
    if not args.no_chart:
        from curriculum_verl.simulation.chart import draw_comparison, draw_trace

        if len(traces) > 1:
            draw_comparison(traces, args.chart)
        else:
            draw_trace(traces[recipes[0]], recipes[0], args.chart)
        print(f"\nchart: {args.chart}")
    return 0


def _prompts_in_words(args: argparse.Namespace, prompts: "Prompts") -> str:
    buckets = ", ".join(f"{name} ({size:,})" for name, size in prompts.sizes.items())
    paths = ", ".join(map(str, args.rollouts or ()))
    if not args.rollouts:
        what = "A learner on invented prompts, screened with 8 responses each"
    elif args.learner:
        what = f"A learner that starts where the rollouts of {paths} stand"
    else:
        what = f"The logged rollouts of {paths}, as they are: nothing is learned"
    return f"{what}.\nBuckets, easiest first: {buckets}"
