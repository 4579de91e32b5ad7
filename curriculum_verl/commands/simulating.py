"""What commands share that play curricula: the arguments of a simulation, its run, and its prompts."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import count, gain, path, whole

if TYPE_CHECKING:
    from curriculum_verl.curriculum.config import CurriculumConfig
    from curriculum_verl.simulation.prompts import Prompts
    from curriculum_verl.simulation.run import RunSettings

PROMPTS = """With --rollouts a learner starts where these stand, prompt by prompt; with --as-logged, nothing is learned
and every response is one of those that were logged. Without rollouts, prompts are invented.

Buckets are those of --buckets, else of the recipe's manifest if it is there, else in the order in which the stages
name them. Rollout files named like buckets (easy.jsonl) are those buckets, ordered by their mean score; if none is
named so, all prompts are cut into the buckets by mean score.

Steps, batch, responses and validations are those that the recipe gives to verl, itself or in files beside it that it
names under `defaults`: trainer.total_training_steps, data.train_batch_size, actor_rollout_ref.rollout.n and
trainer.test_freq; curriculum.group_size holds too.

Tokens are those of responses. Logged ones count by the mean length of their bucket, 4 characters a token; where there
is no text, and on invented prompts, a response counts as 256."""

SAID = ("steps", "batch", "responses", "validate_every")
"""What the recipe may say, if the command line does not."""
BATCH, RESPONSES, VALIDATE_EVERY = 64, 8, 10  # where neither does


def add_prompts(parser: argparse.ArgumentParser) -> None:
    """Rollouts and buckets."""
    parser.add_argument("--rollouts", type=path, nargs="+", metavar="PATH", help="JSONL files, or folders of them")
    parser.add_argument("--buckets", nargs="+", metavar="NAME", help="bucket names, easiest first")


def add_run(parser: argparse.ArgumentParser, steps: int) -> None:
    """The run that is simulated, and the learner that stands for the model."""
    otherwise = {"steps": steps, "batch": BATCH, "responses": RESPONSES, "validate_every": VALIDATE_EVERY}
    words = {"steps": "training steps", "batch": "prompts a step", "responses": "responses a prompt"}
    words |= {"validate_every": "steps between validations"}
    run = parser.add_argument_group("the run")
    run.add_argument("--prompts", type=count, default=1000, help="invented prompts a bucket (%(default)s)")
    for name in SAID:
        told = f"{words[name]} (default: the recipe's, else {otherwise[name]})"
        run.add_argument(_flag(name), type=count, help=told)
    run.add_argument("--validation-trials", type=count, default=200, help="responses a bucket (%(default)s)")
    run.add_argument("--seed", type=whole, default=0, help="of invented prompts and of answers (%(default)s)")
    learner = parser.add_argument_group("the learner")
    learner.add_argument("--learn-rate", type=gain, default=0.15, help="gain of a batch full of signal (%(default)s)")
    learner.add_argument("--transfer", type=gain, default=0.3, help="share that neighbours get (%(default)s)")
    learner.add_argument("--forget", type=gain, default=0.01, help="loss a step without replay (%(default)s)")
    parser.set_defaults(otherwise=otherwise)


def add_as_logged(parser: argparse.ArgumentParser) -> None:
    """The model as it was when rollouts were logged."""
    parser.add_argument("--as-logged", action="store_true", help="with --rollouts: responses are those of the log")


def check_as_logged(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Nothing was logged without rollouts."""
    if args.as_logged and not args.rollouts:
        parser.error("--as-logged: needs --rollouts")


def run_settings(args: argparse.Namespace, recipe: Path) -> "RunSettings":
    """The run of a recipe, with what the arguments ask for."""
    from curriculum_verl.commands.recipe_run import group_sizes
    from curriculum_verl.simulation.run import RunSettings

    numbers = {name: number for name, (number, _) in _numbers(args, recipe).items()}
    trials, seed = args.validation_trials, args.seed
    return RunSettings(**numbers, validation_trials=trials, seed=seed, group_size=group_sizes(recipe))


def run_in_words(args: argparse.Namespace, recipe: Path) -> str:
    """The same for people, every number with where it comes from."""
    told = {name: f"{number:,} ({source})" for name, (number, source) in _numbers(args, recipe).items()}
    return (
        f"run: steps {told['steps']}, prompts a step {told['batch']}, responses a prompt {told['responses']}, "
        f"steps between validations {told['validate_every']}"
    )


def _numbers(args: argparse.Namespace, recipe: Path) -> dict[str, tuple[int, str]]:
    """Every number of the run with its source: the command line, a file of the recipe, or the default."""
    from curriculum_verl.commands.recipe_run import run_of

    said = run_of(recipe)
    found: dict[str, tuple[int, str]] = {}
    for name in SAID:
        asked = getattr(args, name)
        if asked is not None:
            found[name] = asked, _flag(name)
        else:
            found[name] = said.get(name, (args.otherwise[name], "default"))
    return found


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def learner_settings(args: argparse.Namespace) -> dict[str, float]:
    """The learner's parameters."""
    return {"learn_rate": args.learn_rate, "transfer": args.transfer, "forget": args.forget}


def find_prompts(args: argparse.Namespace, configs: "Sequence[CurriculumConfig]") -> "Prompts":
    """The prompts that recipes are played on: those of rollouts, or invented ones."""
    from curriculum_verl.simulation.logs import read_log
    from curriculum_verl.simulation.prompts import Prompts

    sizes = _bucket_sizes(args, configs)
    return Prompts.logged(read_log(args.rollouts, list(sizes))) if args.rollouts else Prompts(sizes)


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
