"""What commands share that play curricula: the arguments of a simulation, its buckets, and its prompts."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import count, gain, path, whole

if TYPE_CHECKING:
    from curriculum_verl.curriculum.config import CurriculumConfig
    from curriculum_verl.simulation.prompts import Prompts
    from curriculum_verl.simulation.run import Settings

BUCKETS = """Buckets are those of the recipe's manifest if it is there, else of --buckets, else in the order in which
the stages name them. Rollout files named like buckets (easy.jsonl) are those buckets, ordered by their mean score;
other files are cut into the buckets by mean score."""


def add_prompts(parser: argparse.ArgumentParser) -> None:
    """Rollouts and buckets."""
    parser.add_argument("--rollouts", type=path, nargs="+", metavar="PATH", help="JSONL files, or folders of them")
    parser.add_argument("--buckets", nargs="+", metavar="NAME", help="bucket names, easiest first")


def add_run(parser: argparse.ArgumentParser, steps: int) -> None:
    """The run that is simulated, and the learner that stands for the model."""
    run = parser.add_argument_group("the run")
    run.add_argument("--prompts", type=count, default=1000, help="invented prompts a bucket (%(default)s)")
    run.add_argument("--steps", type=count, default=steps, help="training steps (%(default)s)")
    run.add_argument("--batch", type=count, default=64, help="prompts a step (%(default)s)")
    run.add_argument("--responses", type=count, default=8, help="responses a prompt (%(default)s)")
    run.add_argument("--validate-every", type=count, default=10, help="steps between validations (%(default)s)")
    run.add_argument("--validation-trials", type=count, default=200, help="responses a bucket (%(default)s)")
    run.add_argument("--seed", type=whole, default=0, help="of the learner and its answers (%(default)s)")
    learner = parser.add_argument_group("the learner")
    learner.add_argument("--learn-rate", type=gain, default=0.15, help="gain of a batch full of signal (%(default)s)")
    learner.add_argument("--transfer", type=gain, default=0.3, help="share that neighbours get (%(default)s)")
    learner.add_argument("--forget", type=gain, default=0.01, help="loss a step without replay (%(default)s)")


def run_settings(args: argparse.Namespace) -> "Settings":
    """The run that the arguments ask for."""
    from curriculum_verl.simulation.run import Settings

    return Settings(args.steps, args.batch, args.responses, args.validate_every, args.validation_trials, args.seed)


def learner_settings(args: argparse.Namespace) -> dict[str, float]:
    """The learner's parameters."""
    return {"learn_rate": args.learn_rate, "transfer": args.transfer, "forget": args.forget}


def find_prompts(args: argparse.Namespace, configs: "Sequence[CurriculumConfig]") -> "Prompts":
    """The prompts that recipes are played on: those of rollouts, or invented ones."""
    from curriculum_verl.simulation.logs import read_prompts
    from curriculum_verl.simulation.prompts import Prompts

    sizes = _bucket_sizes(args, configs)
    return Prompts(sizes, args.seed, read_prompts(args.rollouts) if args.rollouts else None)


def _bucket_sizes(args: argparse.Namespace, configs: "Sequence[CurriculumConfig]") -> dict[str, int]:
    """Bucket names, easiest first, and how many prompts to invent for each."""
    from curriculum_verl.errors import InputError
    from curriculum_verl.manifest import find_manifest

    manifests = [manifest for config in configs if (manifest := find_manifest(config.data)) is not None]
    if manifests and not args.buckets:
        if any(manifest != manifests[0] for manifest in manifests):
            raise InputError("got recipes with different data, expected one manifest; --buckets sets data aside")
        return manifests[0].sizes
    named = [bucket for config in configs for stage in config.stages for bucket in stage.mix]
    return dict.fromkeys(args.buckets or named, args.prompts)
