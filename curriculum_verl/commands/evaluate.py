"""`curriculum-verl evaluate`: models and checkpoints side by side on the same prompts, bucket by bucket."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import count, filled, path
from curriculum_verl.commands.generation import add_backend, add_data, add_sampling, add_scoring, add_server, read_job
from curriculum_verl.commands.where import add_workers
from curriculum_verl.errors import InputError
from curriculum_verl.words import counted

if TYPE_CHECKING:
    from curriculum_verl.evaluation.plan import Evaluation, Plan
    from curriculum_verl.evaluation.stages import Named
    from curriculum_verl.generation.job import Job

PROG = "curriculum-verl evaluate"
KS = (1, 4, 8)  # unless others are asked for, as far as the number of responses goes

DESCRIPTION = """Have one or several models answer the same prompts and compare them bucket by bucket: success and
pass@k with 95 % intervals, mean score, length and tool use of responses, and what was learned or forgotten since the
first model. Writes FILE.json, FILE.csv and FILE.png. A run that was stopped goes on where it was; a model that is done
is not sampled again."""

EPILOG = """A PATH is a Hugging Face model, a LoRA adapter, a checkpoint of an SFT run (checkpoint-N, final), or one of
verl (global_step_N), which is merged by verl's own merger first.

examples:
  curriculum-verl evaluate --model before=models/base after=ckpt/global_step_300 --data manifest.json --out e.json
  curriculum-verl evaluate --model models/base --run checkpoints --data data/manifest.json --out stages.json
  curriculum-verl evaluate --model runs/sft/final --data test.jsonl -n 16 --k 1 4 16 --verifier math --out test.json
  curriculum-verl evaluate --model adapter --base-model models/7b --backend vllm --data data/manifest.json --out a.json
  curriculum-verl evaluate --model model --data data/manifest.json --temperature 0 -n 1 --out greedy.json
  curriculum-verl evaluate --run checkpoints --data data/manifest.json --out stages.json --dry-run
"""


def build_parser(prog: str = PROG) -> argparse.ArgumentParser:
    """The command line; what says how responses are made and scored is that of `generate`."""
    parser = argparse.ArgumentParser(
        prog=prog, description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        dest="models",
        type=filled,
        nargs="+",
        action="extend",
        default=[],
        metavar="[NAME=]PATH",
        help="what is evaluated, the one to compare with first; a name stands in every output",
    )
    parser.add_argument(
        "--run", type=path, metavar="DIR", help="a run: all checkpoints of its stages, and its last one"
    )
    parser.add_argument(
        "--out", type=path, required=True, metavar="FILE", help="ends in .json; the rest lies beside it"
    )
    parser.add_argument("--k", type=count, nargs="+", metavar="K", help="of pass@k (1 4 8, as far as -n goes)")
    parser.add_argument("--keep-responses", action="store_true", help="keep the rollouts, as bucketing reads them")
    parser.add_argument("--merged", type=path, metavar="DIR", help="keep models that were merged of verl's checkpoints")
    parser.add_argument("--dry-run", action="store_true", help="read and check everything, say what would be done")
    parser.add_argument("--overwrite", action="store_true", help="sample all models anew")
    prompts = parser.add_argument_group("the prompts")
    add_data(prompts)
    prompts.add_argument(
        "--bucket-field",
        type=filled,
        metavar="FIELD",
        help="of a row, with the name of its bucket (default: as the manifest says, else the name of the file)",
    )
    prompts.add_argument(
        "--buckets", type=filled, nargs="+", default=(), metavar="NAME", help="all there are, in order"
    )
    add_sampling(parser.add_argument_group("the responses"))
    add_scoring(parser.add_argument_group("the scores"))
    add_backend(parser.add_argument_group("the backend"))
    add_server(parser.add_argument_group("a server (openai)"))
    add_workers(parser.add_argument_group("where the work is done"))
    parser.set_defaults(split="val", model="")
    return parser


def main(argv: Sequence[str] | None = None, prog: str = PROG) -> int:
    """Evaluate, and print the table."""
    parser = build_parser(prog)
    args = parser.parse_args(argv)
    if not args.models and args.run is None:
        parser.error("got no model, expected --model or --run")
    if not args.data and not args.tasks:
        parser.error("got no prompts, expected --data or --tasks")
    from curriculum_verl.evaluation.plan import look
    from curriculum_verl.evaluation.report import files_of
    from curriculum_verl.evaluation.run import evaluate, warnings_of
    from curriculum_verl.evaluation.tables import in_words, table
    from curriculum_verl.generation.placing import Placing

    plan = look(_evaluation(args), overwrite=args.overwrite)
    if args.dry_run:
        print(_would(plan))
        return 0
    report = evaluate(plan, Placing(args.workers, args.ray), overwrite=args.overwrite)
    print(table(report.figures, report.changes))
    print(f"\n{_asked(plan.evaluation.job)}. In per cent, but for score and tokens; in brackets 95 % intervals.")
    for line in [*in_words(report.changes, report.names), *(f"warning: {text}" for text in warnings_of(report))]:
        print(line)
    print("\n" + "\n".join(str(args.out.parent / name) for name in files_of(args.out)))
    return 0


def _evaluation(args: argparse.Namespace) -> "Evaluation":
    from curriculum_verl.evaluation.plan import Evaluation
    from curriculum_verl.evaluation.samples import read_operations

    ks = args.k or [k for k in KS if k <= args.responses]
    return Evaluation(
        models=tuple(_models(args)),
        job=read_job(args),
        out=args.out,
        ks=tuple(sorted({1, *ks})),
        operations=read_operations(args.scoring),
        bucket_field=args.bucket_field,
        buckets=tuple(args.buckets),
        keep_responses=args.keep_responses,
        merged=args.merged,
    )


def _models(args: argparse.Namespace) -> "list[Named]":
    from curriculum_verl.evaluation.stages import find_stages, parse_model, with_names

    if args.run is not None and args.backend == "openai":
        raise InputError("--run: reads checkpoints, which --backend openai cannot load; take hf or vllm")
    stages = [] if args.run is None else find_stages(args.run)
    return with_names([*map(parse_model, args.models), *stages])


def _would(plan: "Plan") -> str:
    evaluation = plan.evaluation
    job = evaluation.job
    lines = [f"{counted(number, 'prompt')} in {bucket}" for bucket, number in plan.prompts.sizes.items()]
    for planned in plan.models:
        kind = "of the server" if planned.checkpoint is None else _KINDS[planned.checkpoint.kind]
        state = "" if planned.known is None else "; is done already"
        lines.append(f"{planned.model.name}: {planned.model.path}, {kind}{state}")
    left = sum(planned.known is None for planned in plan.models) * len(plan.prompts.bucket) * job.count
    ks = ", ".join(f"pass@{k}" for k in evaluation.ks)
    lines.append(f"{_asked(job)}, for {ks}")
    lines.append(f"{counted(left, 'response')} to be made, at most {left * job.sampling.max_tokens:,} tokens")
    return "\n".join([*lines, f"into {evaluation.out}; a dry run: nothing was written"])


def _asked(job: "Job") -> str:
    """How the responses come about."""
    how = "greedy" if job.sampling.temperature == 0 else f"sampled at temperature {job.sampling.temperature:g}"
    return f"{counted(job.count, 'response')} to a prompt, {how}, of at most {job.sampling.max_tokens:,} tokens"


_KINDS = {
    "ready": "which can be loaded as it is",
    "merge": "a checkpoint of verl, which is merged first",
    "adapter": "a checkpoint of verl, out of which its adapter is taken first",
}
