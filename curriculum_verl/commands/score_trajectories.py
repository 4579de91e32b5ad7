"""`curriculum-verl score-trajectories`: trajectories with their difficulty, for supervised fine-tuning."""

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
    from curriculum_verl.trajectories.run import Done
    from curriculum_verl.trajectories.settings import TrajectorySettings

DESCRIPTION = """Score how hard trajectories are to learn, from 0 to 1, and sort them into buckets of like difficulty.
Reads chats, chains of thought and action (CoTA), and prompts with one response, from JSON lines (.jsonl, .jsonl.gz,
.jsonl.zst), JSON arrays (.json) and parquet; writes the lines with difficulty, difficulty_score, difficulty_factors and
difficulty_trap, rejects.jsonl, manifest.json and report.png. Equal scores never land in two buckets."""

EPILOG = """examples:
  curriculum-verl score-trajectories -i cota.json -o scored
  curriculum-verl score-trajectories -i ./trajectories -o scored --split-by-category --config difficulty.yaml
  curriculum-verl score-trajectories -i 'runs/*.jsonl.gz' -o scored --thresholds 0.3 0.6 --on-invalid reject
  curriculum-verl score-trajectories -i chats.parquet -o scored -n 5 --dry-run
"""


def build_parser(prog: str = "curriculum-verl score-trajectories") -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=prog, description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-i", "--input", type=filled, nargs="+", required=True, metavar="PATH", help="folders, files, quoted globs"
    )
    parser.add_argument("-o", "--output", type=path, required=True, metavar="FOLDER", help="a new or empty folder")
    parser.add_argument("-c", "--config", type=path, metavar="YAML", help="a file with a block `difficulty:`")
    cuts = parser.add_argument_group("the buckets")
    cuts.add_argument("-n", "--num-buckets", type=int, metavar="N", help="how many buckets, of even size (3)")
    cuts.add_argument("--bucket-names", nargs="+", metavar="NAME", help="easiest first (simple medium hard, ...)")
    cuts.add_argument("--thresholds", nargs="+", type=float, metavar="SCORE", help="cut the score here, not evenly")
    lines = parser.add_argument_group("the lines")
    lines.add_argument(
        "--on-invalid",
        choices=("error", "reject"),
        default="error",
        help="a line that is no trajectory: stop, or put it into rejects.jsonl (%(default)s)",
    )
    lines.add_argument(
        "--on-duplicate",
        choices=("error", "first"),
        default="error",
        help="an id that stands twice: stop, or keep the first line (%(default)s)",
    )
    output = parser.add_argument_group("the output")
    output.add_argument(
        "--split-by-category", action="store_true", help="a file for every bucket, not trajectories.jsonl for all"
    )
    output.add_argument("--dry-run", action="store_true", help="read, score and show; write nothing")
    output.add_argument("--overwrite", action="store_true", help="replace what an earlier run wrote there")
    add_where(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str = "curriculum-verl score-trajectories") -> int:
    """Score, and print what was done."""
    args = build_parser(prog).parse_args(argv)
    from curriculum_verl.trajectories.report import table
    from curriculum_verl.trajectories.run import score_trajectories

    with runner_of(args) as running:
        done = score_trajectories(
            args.input,
            args.output,
            _settings(args),
            running,
            overwrite=args.overwrite,
            dry_run=args.dry_run,
            command=shlex.join([prog, *(sys.argv[1:] if argv is None else argv)]),
        )
    print(table(done.summary, done.factors))
    print(f"\n{_outcome(done, args.output)}")
    return 0


def _settings(args: argparse.Namespace) -> "TrajectorySettings":
    from curriculum_verl.trajectories.settings import Scoring, read_scoring, trajectory_settings

    return trajectory_settings(
        read_scoring(args.config) if args.config else Scoring(),
        buckets=args.num_buckets,
        names=tuple(args.bucket_names) if args.bucket_names else None,
        thresholds=tuple(args.thresholds) if args.thresholds else None,
        split=args.split_by_category,
        on_invalid=args.on_invalid,
        on_duplicate=args.on_duplicate,
    )


def _outcome(done: "Done", output: Path) -> str:
    summary = done.summary
    read = f"{counted(summary.prompts, 'sample')} scored"
    speed = f"{size(done.bytes)} in {done.seconds:.1f} s"
    if not done.files:
        return f"{read} ({speed}); a dry run: nothing was written"
    return f"{read} ({speed})\n{output}: {', '.join(done.files)}"
