"""`curriculum-verl preprocess`: make training and validation data in verl's format of a bucket folder."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import filled, finite, path, share, whole
from curriculum_verl.commands.where import add_where, runner_of
from curriculum_verl.words import counted

if TYPE_CHECKING:
    from curriculum_verl.preprocessing.settings import Settings

PROG = "curriculum-verl preprocess"
FILES = (".txt", ".md", ".jinja", ".prompt")  # what ends so is the name of a file

DESCRIPTION = """Turn a bucket folder, which bucket_rollouts_by_difficulty.py has made, into parquet files in verl's
format: for each bucket, or for several combined, prompts for training and for validation, with a manifest that names
them. The split goes by the prompt's text: a prompt is on the same side in every bucket, every combination and every
run with the same --seed and --train-val-split, however much data is added."""

EPILOG = """examples:
  curriculum-verl preprocess -i bucketed -o preprocessed
  curriculum-verl preprocess -i bucketed -o preprocessed --filter passing_only
  curriculum-verl preprocess -i bucketed -o progressive --buckets easy medium --combine --output-name phase2
  curriculum-verl preprocess -i bucketed -o cumulative --cumulative    # easy, easy+medium, easy+medium+hard
  curriculum-verl preprocess -i bucketed -o preprocessed --instruction "Put the answer in \\\\boxed{}."
  curriculum-verl preprocess -i bucketed -o preprocessed --benchmark evals/*.jsonl --on-benchmark drop
"""


def build_parser(prog: str = PROG) -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=DESCRIPTION,
        epilog=EPILOG.replace("\\\\", "\\").replace(PROG, prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-i", "--input", type=path, required=True, metavar="FOLDER", help="a bucket folder")
    parser.add_argument("-o", "--output", type=path, required=True, metavar="FOLDER", help="where the data goes")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files of the same names that are there already"
    )
    _add_choice(parser.add_argument_group("what goes in"))
    _add_files(parser.add_argument_group("which files are made"))
    _add_rows(parser.add_argument_group("what a row holds"))
    add_where(parser)
    return parser


def _add_choice(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--buckets", nargs="+", metavar="NAME", help="only these buckets (default: all)")
    group.add_argument(
        "--filter",
        choices=("all", "best_only", "passing_only"),
        default="all",
        help="best_only: prompts whose best score is above 0; passing_only: those that a response passes (%(default)s)",
    )
    group.add_argument(
        "--pass-threshold",
        type=finite,
        metavar="SCORE",
        help="a response passes from this score on (default: what the buckets were made with)",
    )
    group.add_argument(
        "--benchmark",
        type=filled,
        nargs="+",
        metavar="FILE",
        help="evaluation sets (JSON lines or parquet); training prompts with the same text are found",
    )
    group.add_argument(
        "--on-benchmark",
        choices=("error", "drop", "report"),
        help="what becomes of them: an error, left out, or kept and reported (error)",
    )
    group.add_argument(
        "--on-invalid",
        choices=("error", "reject"),
        default="error",
        help="what becomes of lines that cannot be used: an error, or written to rejects.jsonl (%(default)s)",
    )


def _add_files(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--combine", action="store_true", help="all buckets in one file, easiest first")
    group.add_argument(
        "--output-name", type=filled, metavar="NAME", help="with --combine: name of that file (combined)"
    )
    group.add_argument(
        "--cumulative",
        action="store_true",
        help="a combined file for the easiest bucket, for the two easiest, and so on",
    )
    split = group.add_mutually_exclusive_group()
    split.add_argument(
        "--train-val-split",
        type=_split,
        default=0.9,
        metavar="SHARE",
        help="share of the prompts that is for training, the rest is for validation (%(default)s)",
    )
    split.add_argument("--no-val-split", action="store_true", help="all prompts are for training")
    group.add_argument("--seed", type=whole, default=0, help="of the split (%(default)s)")


def _add_rows(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--data-source",
        type=filled,
        metavar="NAME",
        help="of every row (default: the row's own, else bucketed_curriculum)",
    )
    group.add_argument(
        "--ability",
        type=filled,
        metavar="NAME",
        help="of every row (default: the row's own, else instruction_following)",
    )
    group.add_argument(
        "--system-prompt", type=_text, metavar="TEXT|FILE", help="a system message, in place of any that a prompt has"
    )
    group.add_argument(
        "--instruction",
        type=_text,
        metavar="TEXT|FILE",
        help="added to the last message of the user, after a blank line",
    )


def main(argv: Sequence[str] | None = None, prog: str = PROG) -> int:
    """Write the data and print what was done."""
    parser = build_parser(prog)
    args = parser.parse_args(argv)
    if args.cumulative and (args.combine or args.output_name):
        parser.error("--cumulative: combines by itself and gives its own names; leave out --combine and --output-name")
    if args.output_name and not args.combine:
        parser.error("--output-name: needs --combine; otherwise files are named after their buckets")
    if args.on_benchmark and not args.benchmark:
        parser.error("--on-benchmark: needs --benchmark with the files to compare with")
    from curriculum_verl.preprocessing.run import preprocess
    from curriculum_verl.preprocessing.summary import summary

    begin = time.perf_counter()
    with runner_of(args) as working:
        result = preprocess(args.input, args.output, _settings(args), working, overwrite=args.overwrite)
    print(summary(result, time.perf_counter() - begin))
    for option, text in (("system prompt", args.system_prompt), ("instruction", args.instruction)):
        if text is not None:
            print(_taken(option, text))
    for target, _ in result.made:
        print(f"manifest: {args.output / target.manifest}")
    return 0


def _settings(args: argparse.Namespace) -> "Settings":
    from curriculum_verl.preprocessing.settings import Settings

    return Settings(
        buckets=tuple(args.buckets) if args.buckets else None,
        combine=args.combine,
        output_name=args.output_name or "combined",
        cumulative=args.cumulative,
        data_source=args.data_source,
        filter=args.filter,
        pass_threshold=args.pass_threshold,
        train_val_split=None if args.no_val_split else args.train_val_split,
        seed=args.seed,
        ability=args.ability,
        system_prompt=args.system_prompt and args.system_prompt.text,
        instruction=args.instruction and args.instruction.text,
        benchmark=tuple(args.benchmark or ()),
        on_benchmark=args.on_benchmark or "error",
        on_invalid=args.on_invalid,
    )


def _taken(option: str, text: "Text") -> str:
    whence = "as given" if text.file is None else f"from {text.file}"
    return f"{option}: {counted(len(text.text), 'character')}, {whence}"


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the user's, and the file that held it, if one did."""

    text: str
    file: str | None = None


def _text(given: str) -> Text:
    """A text as it is given, or what stands in the file of that name."""
    if _is_file(given):
        try:
            text = Text(Path(given).read_text(encoding="utf-8-sig").rstrip("\n"), given)
        except (OSError, UnicodeDecodeError) as error:
            raise argparse.ArgumentTypeError(f"{given}: cannot be read as text: {error}") from error
    elif given.lower().endswith(FILES) and "\n" not in given:
        raise argparse.ArgumentTypeError(
            f"there is no file {given}, and it does not look like a text; one that ends so must come out of a file"
        )
    else:
        text = Text(given)
    if not text.text.strip():
        raise argparse.ArgumentTypeError(f"got no text in {given!r}, expected some, or a file that holds some")
    return text


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a text that is too long for a name, or holds what no name may
        return False


def _split(text: str) -> float:
    try:
        return share(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; see --no-val-split") from None
