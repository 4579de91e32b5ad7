"""`curriculum-verl simulate`: try a curriculum without a model."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import count, gain, path, whole

if TYPE_CHECKING:
    from curriculum_verl.curriculum.config import CurriculumConfig
    from curriculum_verl.simulation.worlds import World

DESCRIPTION = """Play a curriculum - the engine itself - against logged rollouts, or against a learner whose pass rates
grow with practice, carry over to neighbouring buckets and are forgotten without replay. Prints the timeline of stages
and what every bucket took, and draws a chart. The learner shows how a recipe behaves; it predicts no model."""

EPILOG = """Buckets are those of the recipe's manifest if it is there, else of --buckets, else in the order in which the
stages name them. Rollout files named like buckets (easy.jsonl) are those buckets, ordered by their mean score; other
files are cut into the buckets by mean score.

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
    parser.add_argument("--rollouts", type=path, nargs="+", metavar="PATH", help="JSONL files, or folders of them")
    parser.add_argument("--learner", action="store_true", help="with --rollouts: a learner starts where the log stands")
    parser.add_argument("--buckets", nargs="+", metavar="NAME", help="bucket names, easiest first")
    parser.add_argument("--chart", type=path, default=Path("simulation.png"), help="PNG to write (%(default)s)")
    parser.add_argument("--no-chart", action="store_true", help="write no PNG")
    run = parser.add_argument_group("the run")
    run.add_argument("--prompts", type=count, default=1000, help="invented prompts a bucket (%(default)s)")
    run.add_argument("--steps", type=count, default=300, help="training steps (%(default)s)")
    run.add_argument("--batch", type=count, default=64, help="prompts a step (%(default)s)")
    run.add_argument("--responses", type=count, default=8, help="responses a prompt (%(default)s)")
    run.add_argument("--validate-every", type=count, default=10, help="steps between validations (%(default)s)")
    run.add_argument("--validation-trials", type=count, default=200, help="responses a bucket (%(default)s)")
    run.add_argument("--seed", type=whole, default=0, help="of the learner and its answers (%(default)s)")
    learner = parser.add_argument_group("the learner")
    learner.add_argument("--learn-rate", type=gain, default=0.15, help="gain of a batch full of signal (%(default)s)")
    learner.add_argument("--transfer", type=gain, default=0.3, help="share that neighbours get (%(default)s)")
    learner.add_argument("--forget", type=gain, default=0.01, help="loss a step without replay (%(default)s)")
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
    from curriculum_verl.simulation.run import Settings, simulate

    recipes = list(dict.fromkeys(str(recipe) for recipe in args.compare or [args.recipe]))
    sizes = _bucket_sizes(args, [read_recipe(recipe) for recipe in recipes])
    configs = {recipe: read_recipe(recipe, list(sizes)) for recipe in recipes}
    run = Settings(args.steps, args.batch, args.responses, args.validate_every, args.validation_trials, args.seed)
    worlds = {recipe: _world(args, sizes, config) for recipe, config in configs.items()}
    print(_world_in_words(args, worlds[recipes[0]]))
    traces = {}
    for recipe, config in configs.items():
        traces[recipe] = simulate(config, worlds[recipe], run, recipe)
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


def _bucket_sizes(args: argparse.Namespace, configs: "Sequence[CurriculumConfig]") -> dict[str, int]:
    """Bucket names, easiest first, and how many prompts to invent for each."""
    from curriculum_verl.errors import InputError
    from curriculum_verl.manifest import find_manifest

    manifests = [manifest for config in configs if (manifest := find_manifest(config.data)) is not None]
    if manifests and not args.buckets:
        if any(manifest != manifests[0] for manifest in manifests):
            raise InputError(
                "--compare: got recipes with different data, expected one manifest; --buckets sets data aside"
            )
        return manifests[0].sizes
    named = [bucket for config in configs for stage in config.stages for bucket in stage.mix]
    return dict.fromkeys(args.buckets or named, args.prompts)


def _world(args: argparse.Namespace, sizes: dict[str, int], config: "CurriculumConfig") -> "World":
    from curriculum_verl.simulation.logs import read_log
    from curriculum_verl.simulation.worlds import invented_learner, learner_from_log

    learner = {"learn_rate": args.learn_rate, "transfer": args.transfer, "forget": args.forget}
    if not args.rollouts:
        return invented_learner(sizes, args.seed, **learner)
    log = read_log(args.rollouts, list(sizes), config.pass_threshold)
    return learner_from_log(log, **learner) if args.learner else log


def _world_in_words(args: argparse.Namespace, world: "World") -> str:
    buckets = ", ".join(f"{name} ({size:,})" for name, size in world.index.by_name(world.index.sizes).items())
    paths = ", ".join(map(str, args.rollouts or ()))
    if not args.rollouts:
        what = "A learner on invented prompts, screened with 8 responses each"
    elif args.learner:
        what = f"A learner that starts where the rollouts of {paths} stand"
    else:
        what = f"The logged rollouts of {paths}, as they are: nothing is learned"
    return f"{what}.\nBuckets, easiest first: {buckets}"
