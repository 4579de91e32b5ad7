"""`curriculum-verl bucket`: rollouts into ordered buckets of difficulty."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import filled, path
from curriculum_verl.commands.where import add_where, runner_of
from curriculum_verl.words import counted, size

if TYPE_CHECKING:
    from curriculum_verl.bucketing.run import Done
    from curriculum_verl.bucketing.settings import Settings

DESCRIPTION = """Sort rollouts - prompts with several scored responses - into buckets of like difficulty. Reads JSON
lines (.jsonl, .jsonl.gz, .jsonl.zst), parquet and verl's own rollout dumps; writes one file a bucket with the input's
lines unchanged, rejects.jsonl, manifest.json and a report with pictures. Equal values never land in two buckets."""

METRICS_HELP = (
    "difficulty metric: mean_reward, max_reward, min_reward, variance, success_rate, inverse_mean, pass_at_k, "
    "learnability, or your own as module:function (%(default)s)"
)

EPILOG = """names: without --thresholds they run from easiest to hardest, whatever the sign of the metric;
with --thresholds those that you give follow the metric from low to high, as the thresholds are written. A value at a
threshold is above it.

examples:
  curriculum-verl bucket -i ./rollouts -o ./bucketed -m mean_reward -n 3
  curriculum-verl bucket -i ./rollouts -o ./bucketed -n 5 --bucket-names stage1 stage2 stage3 stage4 stage5
  curriculum-verl bucket -i ./rollouts -o ./custom --thresholds 0.3 0.7 --bucket-names low medium high
  curriculum-verl bucket -i 'runs/*/rollouts/*.jsonl.gz' -o ./bucketed -m pass_at_k --k 4 --split-degenerate
  curriculum-verl bucket -i ./rollouts -o ./bucketed --fields id=extra_info.index reward=scores --dry-run
"""


def build_parser(prog: str = "curriculum-verl bucket") -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=prog, description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-i", "--input", type=filled, nargs="+", required=True, metavar="PATH", help="folders, files, quoted globs"
    )
    parser.add_argument("-o", "--output", type=path, required=True, metavar="FOLDER", help="a new or empty folder")
    _add_cuts(parser.add_argument_group("the buckets"))
    _add_lines(parser.add_argument_group("the lines"))
    _add_output(parser.add_argument_group("the output"))
    add_where(parser)
    return parser


def _add_cuts(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("-m", "--metric", default="mean_reward", help=METRICS_HELP)
    group.add_argument("-n", "--num-buckets", type=int, metavar="N", help="how many buckets, of even size (3)")
    group.add_argument("--bucket-names", nargs="+", metavar="NAME", help="one for each (easy medium hard, ...)")
    group.add_argument("--thresholds", nargs="+", type=float, metavar="VALUE", help="cut the metric here, not evenly")
    group.add_argument("--tie-break", metavar="METRIC", help="a second metric, for prompts whose first is equal")
    group.add_argument(
        "--split-degenerate", action="store_true", help="prompts never and always solved into buckets of their own"
    )
    group.add_argument("--pass-threshold", type=float, default=0.5, metavar="SCORE", help="what passes (%(default)s)")
    group.add_argument("--k", type=int, default=1, help="k of pass_at_k (%(default)s)")


def _add_lines(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--fields",
        nargs="+",
        default=(),
        metavar="ROLE=FIELD",
        help="names of your fields: id, prompt, response, reward, score, ground_truth, data_source, ability, "
        "extra_info; a dot leads into an object",
    )
    group.add_argument(
        "--min-responses", type=int, default=1, metavar="N", help="reject prompts with fewer (%(default)s)"
    )
    group.add_argument(
        "--on-invalid",
        choices=("error", "reject"),
        default="error",
        help="a line that is no rollout: stop, or put it into rejects.jsonl (%(default)s)",
    )
    group.add_argument(
        "--on-duplicate",
        choices=("error", "merge", "first"),
        default="error",
        help="an id that stands twice: stop, pool the responses, or keep the first line (%(default)s)",
    )


def _add_output(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--prefix", default="", help="before the names of the bucket files, as in PREFIX_easy.jsonl")
    group.add_argument("--dry-run", action="store_true", help="read, cut and show; write nothing")
    group.add_argument("--overwrite", action="store_true", help="replace what an earlier run wrote there")
    group.add_argument("--no-report", action="store_true", help="write no report.html and report.png")


def main(argv: Sequence[str] | None = None, prog: str = "curriculum-verl bucket") -> int:
    """Bucket, and print what was done."""
    args = build_parser(prog).parse_args(argv)
    from curriculum_verl.bucketing.run import bucket_rollouts
    from curriculum_verl.bucketing.summary import table

    with runner_of(args) as running:
        done = bucket_rollouts(
            args.input,
            args.output,
            _settings(args),
            running,
            overwrite=args.overwrite,
            dry_run=args.dry_run,
            report=not args.no_report,
            command=shlex.join([prog, *(sys.argv[1:] if argv is None else argv)]),
        )
    print(table(done.summary))
    print(f"\n{_outcome(done, args.output)}")
    return 0


def _settings(args: argparse.Namespace) -> "Settings":
    from curriculum_verl.bucketing.settings import Settings
    from curriculum_verl.rollouts.fields import parse_fields

    return Settings(
        metric=args.metric,
        buckets=args.num_buckets,
        names=tuple(args.bucket_names) if args.bucket_names else None,
        thresholds=tuple(args.thresholds) if args.thresholds else None,
        pass_threshold=args.pass_threshold,
        k=args.k,
        prefix=args.prefix,
        tie_break=args.tie_break,
        min_responses=args.min_responses,
        split_degenerate=args.split_degenerate,
        on_invalid=args.on_invalid,
        on_duplicate=args.on_duplicate,
        fields=parse_fields(args.fields),
    )


def _outcome(done: "Done", output: Path) -> str:
    summary = done.summary
    speed = f"{size(done.bytes)} in {done.seconds:.1f} s, {size(done.bytes / done.seconds)}/s"
    files = counted(len(summary.inputs), "file")
    read = f"{counted(summary.prompts, 'prompt')} in {counted(summary.lines, 'line')} of {files} ({speed})"
    if not done.files:
        return f"{read}; a dry run: nothing was written"
    return f"{read}\n{output}: {', '.join(done.files)}"
