"""`curriculum-verl tune`: edit a recipe on a page that shows at once what comes of it."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import path
from curriculum_verl.commands.monitor import port
from curriculum_verl.commands.simulating import BUCKETS, add_prompts, add_run, find_prompts, learner_settings

if TYPE_CHECKING:
    from curriculum_verl.tuning.model import Tuning

DESCRIPTION = """Edit stages, mixes, thresholds and policies of a recipe on a page that plays every change at once,
with the engine itself against a learner that starts where rollouts stand, or against a simple one. Saves a new file
beside the recipe, or the one of --out; nothing is overwritten unasked."""

EPILOG = f"""{BUCKETS}

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
    parser.add_argument("--as-logged", action="store_true", help="with --rollouts: responses are those of the log")
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
    if args.as_logged and not args.rollouts:
        parser.error("--as-logged: needs --rollouts")
    if args.out is not None and not args.out.absolute().parent.is_dir():
        parser.error(f"--out: there is no folder {args.out.parent}; make it, or name a file in one that is there")
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
    from curriculum_verl.commands.simulating import run_settings
    from curriculum_verl.tuning.model import Tuning
    from curriculum_verl.tuning.saving import Saving
    from curriculum_verl.tuning.trial import Setting

    config = read_recipe(args.recipe)
    prompts = find_prompts(args, [config])
    read_recipe(args.recipe, prompts.buckets)
    text = args.recipe.read_text(encoding="utf-8-sig")
    setting = Setting(run_settings(args), learns=not args.as_logged, learner=learner_settings(args))
    for name, value in setting.values().items():
        setting = setting.with_value(name, value)
    return Tuning(
        args.recipe,
        text,
        prompts,
        lambda block, buckets: check_block(block, buckets, str(args.recipe)),
        setting,
        Saving(args.recipe, args.out),
        logged=bool(args.rollouts),
    )
