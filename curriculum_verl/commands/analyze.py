"""`curriculum-verl analyze`: the trajectories of runs, models and stages beside each other."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import filled, finite, path
from curriculum_verl.commands.generation import add_backend, add_data, add_sampling, add_scoring, add_server, read_job
from curriculum_verl.commands.where import add_where, runner_of

if TYPE_CHECKING:
    from curriculum_verl.analysis.runs import Run
    from curriculum_verl.analysis.selection import Selection

PROG = "curriculum-verl analyze"

DESCRIPTION = """Compare what runs logged, or what checkpoints say when they are asked, trajectory by trajectory:
lengths, steps, tools and what follows what, coherence, loops, exploration, success by bucket; changes between runs and
between stages on the same prompts with 95 % intervals; a response that is stuck in a loop beside one that explores.
Writes report.html, analysis.json, tables (CSV) and pictures (PNG) into a folder."""

EPILOG = """A PATH is the folder of a run (its metrics file curriculum.jsonl names the rollout log), a metrics file, a
folder of rollouts, or a file of rollouts. Lines that are no rollouts are counted with their reason, and left out.

examples:
  curriculum-verl analyze --runs base=runs/base coherence=runs/coherence full=runs/full --out analysis
  curriculum-verl analyze --runs full=runs/full --stage goal everything --bucket hard --out stages --workers 2
  curriculum-verl analyze --runs a=logs/a b=logs/b.jsonl --steps 100:200 --scoring recipe.yaml --out late
  curriculum-verl analyze --generate --model base=models/base full=ckpt/global_step_300 --data data/manifest.json \\
      --limit 50 -n 8 --out fresh
  curriculum-verl analyze --generate --model full=final --data test.jsonl --prompts task-7,task-9 --out two_prompts
"""


def build_parser(prog: str = PROG) -> argparse.ArgumentParser:
    """The command line; what says how responses are made and scored is that of `generate`."""
    parser = argparse.ArgumentParser(
        prog=prog, description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs",
        type=filled,
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=PATH",
        help="what was logged, the one to compare with first",
    )
    parser.add_argument("--out", type=path, required=True, metavar="DIR", help="a new or empty folder")
    parser.add_argument("--pass-threshold", type=finite, metavar="SCORE", help="(the recipe's, else 0.5)")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier analysis; sample anew")
    part = parser.add_argument_group("which part of the runs")
    part.add_argument("--steps", type=filled, metavar="FROM:TO", help="both included; either may be missing")
    part.add_argument("--stage", type=filled, nargs="+", default=[], metavar="NAME", help="only these stages")
    part.add_argument("--bucket", type=filled, nargs="+", default=[], metavar="NAME", help="only these buckets")
    part.add_argument("--prompts", type=filled, nargs="+", default=[], metavar="ID,...", help="only these prompts")
    fresh = parser.add_argument_group("fresh trajectories")
    fresh.add_argument("--generate", action="store_true", help="have checkpoints answer prompts, and analyze that")
    fresh.add_argument(
        "--model",
        dest="models",
        type=filled,
        nargs="+",
        action="extend",
        default=[],
        metavar="[NAME=]PATH",
        help="a model, an adapter, or a checkpoint of verl or of an SFT run, as `evaluate` takes them",
    )
    fresh.add_argument("--bucket-field", type=filled, metavar="FIELD", help="of a row, with the name of its bucket")
    fresh.add_argument("--buckets", type=filled, nargs="+", default=(), metavar="NAME", help="all there are, in order")
    add_data(parser.add_argument_group("the prompts (--generate)"))
    add_sampling(parser.add_argument_group("the responses (--generate)"))
    add_scoring(parser.add_argument_group("the scores; --scoring also says what is a tool"))
    add_backend(parser.add_argument_group("the backend (--generate)"))
    add_server(parser.add_argument_group("a server (--generate, openai)"))
    add_where(parser)
    parser.set_defaults(split="val", model="")
    return parser


def main(argv: Sequence[str] | None = None, prog: str = PROG) -> int:
    """Analyze, and print what is clear."""
    parser = build_parser(prog)
    args = parser.parse_args(argv)
    _check(parser, args)
    from curriculum_verl.analysis.analysis import analyze
    from curriculum_verl.analysis.selection import Selection, parse_ids, parse_steps
    from curriculum_verl.analysis.settings import read_judging
    from curriculum_verl.analysis.tables import in_words, table
    from curriculum_verl.analysis.tasks import Reading
    from curriculum_verl.analysis.writing import refuse, write
    from curriculum_verl.evaluation.tables import require_pandas
    from curriculum_verl.outputs import work_folder
    from curriculum_verl.rollouts.fields import parse_fields
    from curriculum_verl.words import printable

    require_pandas()
    selection = Selection(
        steps=None if args.steps is None else parse_steps(args.steps),
        stages=frozenset(args.stage) or None,
        buckets=frozenset(args.bucket) or None,
        prompts=parse_ids(args.prompts),
    )
    reading = Reading(read_judging(args.scoring, args.pass_threshold), selection, parse_fields(args.fields))
    refuse(args.out, args.overwrite)
    runs = _runs(args, selection)
    with work_folder(args.out) as work, runner_of(args) as runner:
        refuse(args.out, args.overwrite)  # again: another run may have ended there meanwhile
        found = analyze(runs, reading, work, runner, args.seed)
        given = list(sys.argv[2:] if argv is None else argv)
        names = write(found, args.out, work / "made", given, args.seed)
    print(table(found))
    print("\nMeans over prompts; in brackets 95 % intervals. On the same prompts:")
    lines = [*(f"- {who}: {said}" for who, said in in_words(found)), f"- {found.loops_in_words()}"]
    print(printable("\n".join([*lines, *(f"warning: {text}" for text in found.warnings)])))
    print(f"\n{args.out}: {', '.join(names)}")
    return 0


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if args.generate and not args.models:
        parser.error("--generate: got no model, expected --model NAME=CHECKPOINT ...")
    if args.generate and not args.data and not args.tasks:
        parser.error("--generate: got no prompts, expected --data or --tasks")
    if not args.generate and (args.models or args.data or args.tasks):
        parser.error("--model, --data and --tasks are for fresh trajectories, expected --generate beside them")
    if not args.generate and not args.runs:
        parser.error("got no run, expected --runs NAME=PATH, or --generate --model NAME=CHECKPOINT --data FILES")


def _runs(args: argparse.Namespace, selection: "Selection") -> "list[Run]":
    """Everything that is only looked at first: sampling takes long."""
    from curriculum_verl.analysis.runs import find_run, parse_runs
    from curriculum_verl.errors import InputError

    logged = [find_run(name, place, selection) for name, place in parse_runs(args.runs)]
    if not args.generate:
        return logged
    from curriculum_verl.analysis.sampling import sample
    from curriculum_verl.evaluation.plan import Evaluation
    from curriculum_verl.evaluation.samples import read_operations
    from curriculum_verl.evaluation.stages import parse_model, with_names
    from curriculum_verl.generation.placing import Placing

    models = with_names([*map(parse_model, args.models)])
    if twice := sorted({run.name for run in logged} & {model.name for model in models}):
        raise InputError(f"--model: the name {', '.join(twice)} is that of a run, expected every name once")
    evaluation = Evaluation(
        models=tuple(models),
        job=read_job(args),
        out=args.out / "evaluation.json",
        operations=read_operations(args.scoring),
        bucket_field=args.bucket_field,
        buckets=tuple(args.buckets),
        keep_responses=True,
    )
    placing = Placing(args.workers, args.ray)
    return logged + sample(evaluation, selection.prompts, placing, overwrite=args.overwrite)
