"""`curriculum-verl tune`: edit a recipe on a page that shows at once what comes of it."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curriculum_verl.commands.arguments import path, port
from curriculum_verl.commands.simulating import (
    PROMPTS,
    add_as_logged,
    add_prompts,
    add_run,
    check_as_logged,
    find_prompts,
    learner_settings,
)

if TYPE_CHECKING:
    from curriculum_verl.tuning.model import Tuning
    from curriculum_verl.tuning.playing import Recipe

DESCRIPTION = """Edit stages, mixes, thresholds and policies of a recipe on a page that plays every change at once,
with the engine itself against a learner that starts where rollouts stand, or against a simple one. Saves a new file
beside the recipe, or the one of --out; nothing is overwritten unasked."""

EPILOG = f"""{PROMPTS}

Without --host the page is for this machine alone; on any other host it asks for a token, which is printed.

examples:
  curriculum-verl tune examples/three_stages.yaml
  curriculum-verl tune recipe.yaml --rollouts bucketed/ --out recipe2.yaml
  curriculum-verl tune recipe.yaml --rollouts bucketed/ --as-logged    # nothing is learned: the logged scores
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="curriculum-verl tune",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", type=path, help="YAML file with a curriculum block")
    add_prompts(parser)
    add_as_logged(parser)
    parser.add_argument(
        "--out", type=path, metavar="FILE", help="file that Save writes (default: one beside the recipe)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=port, default=7861, help="port to listen on, 0: any (%(default)s)")
    add_run(parser, steps=200)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page."""
    parser = build_parser()
    args = parser.parse_args(argv)
    check_as_logged(parser, args)
    if args.out is not None and not args.out.absolute().parent.is_dir():
        parser.error(f"--out: there is no folder {args.out.parent}; make it, or name a file in one that is there")
    if args.out is not None and (args.out.is_symlink() or (args.out.exists() and not args.out.is_file())):
        parser.error(f"--out: {args.out} is no plain file; name a file, which may be there or not")
    from curriculum_verl.web.extra import require_pages

    require_pages("curriculum-verl tune")
    tuning = prepare(args)
    import logging

    from curriculum_verl.tuning.page import tuning_page
    from curriculum_verl.web.serving import serve

    logging.getLogger("curriculum_verl.curriculum").setLevel(logging.ERROR)  # what it warns of stands on the page
    serve(tuning_page(tuning), args.host, args.port)
    return 0


def prepare(args: argparse.Namespace) -> "Tuning":
    """What the page edits and plays on."""
    from curriculum_verl.commands.recipe import check_block, read_recipe
    from curriculum_verl.commands.simulating import run_in_words, run_settings
    from curriculum_verl.errors import InputError
    from curriculum_verl.simulation.setup import Setup
    from curriculum_verl.tuning.model import Tuning
    from curriculum_verl.tuning.saving import Saving, read_text
    from curriculum_verl.tuning.session import opened
    from curriculum_verl.tuning.trial import read_setup
    from curriculum_verl.verl_plugin.settings import read_settings

    config = read_recipe(args.recipe)
    prompts = find_prompts(args, [config])
    read_recipe(args.recipe, prompts.buckets)
    content = args.recipe.read_bytes()
    setting = Setup(run_settings(args, args.recipe), learns=not args.as_logged, learner=learner_settings(args))
    problems = read_setup({name: str(value) for name, value in setting.values().items()})[1]
    if problems:
        raise InputError("; ".join(problems.values()))

    def checked(block: dict[str, Any], buckets: Sequence[str]) -> "Recipe":
        return check_block(block, buckets, str(args.recipe)), read_settings(block).group_size

    return Tuning(
        args.recipe,
        opened(read_text(content)),
        prompts,
        checked,
        setting,
        Saving(args.recipe, content, args.out),
        logged=bool(args.rollouts),
        told=run_in_words(args, args.recipe),
    )
