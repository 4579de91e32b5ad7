"""`curriculum-verl simulate`: try a curriculum without a model."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from curriculum_verl.commands.arguments import path
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

DESCRIPTION = """Play a curriculum - the engine itself - against a learner whose pass rates grow with practice, carry
over to neighbouring buckets and are forgotten without replay, or against logged rollouts as they are. Prints the
timeline of stages and what every bucket took, and draws a chart. The learner shows how a recipe behaves; it predicts
no model. `curriculum-verl compare` plays several recipes side by side."""

EPILOG = f"""{PROMPTS}

examples:
  curriculum-verl simulate examples/three_stages.yaml
  curriculum-verl simulate recipe.yaml --rollouts bucketed/              # a learner that starts where the log stands
  curriculum-verl simulate recipe.yaml --rollouts bucketed/ --as-logged  # the logged scores, as they are
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="curriculum-verl simulate",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", type=path, help="YAML file with a curriculum block")
    add_prompts(parser)
    add_as_logged(parser)
    parser.add_argument("--chart", type=path, default=Path("simulation.png"), help="PNG to write (%(default)s)")
    parser.add_argument("--no-chart", action="store_true", help="write no PNG")
    add_run(parser, steps=300)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report and write the chart."""
    parser = build_parser()
    args = parser.parse_args(argv)
    check_as_logged(parser, args)
    if not args.no_chart and not args.chart.absolute().parent.is_dir():
        parser.error(f"--chart: there is no folder {args.chart.parent}; make it, or name a file in one that is there")
    from curriculum_verl.commands.recipe import read_recipe
    from curriculum_verl.simulation.report import report
    from curriculum_verl.simulation.run import simulate
    from curriculum_verl.simulation.setup import Setup

    recipe = str(args.recipe)
    prompts = find_prompts(args, [read_recipe(recipe)])
    config = read_recipe(recipe, prompts.buckets)
    setup = Setup(run_settings(args, args.recipe), learns=not args.as_logged, learner=learner_settings(args))
    print(recipe)
    print("\n".join([*prompts.in_words(), setup.model_in_words(logged=bool(args.rollouts))]))
    print(run_in_words(args, args.recipe))
    trace = simulate(config, prompts.world(config.pass_threshold, setup), setup.run, recipe)
    print(f"\n{report(trace, config, setup.run)}")
    if not args.no_chart:
        from curriculum_verl.simulation.trace_picture import draw_trace

        draw_trace(trace, recipe, args.chart)
        print(f"\nchart: {args.chart}")
    return 0
