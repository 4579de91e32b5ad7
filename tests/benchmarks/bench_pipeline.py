"""Time and memory of bucketing and preprocessing as whole processes, beside cat, json.loads, pandas, polars, duckdb.

Prints tables and the goals that were set; the figures never decide the exit code.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = """examples:
  python tests/benchmarks/bench_pipeline.py                                     100,000 rows, 1.4 GB: 20 minutes
  python tests/benchmarks/bench_pipeline.py --json build/bench_pipeline.json    with JSON (make bench-pipeline)
  python tests/benchmarks/bench_pipeline.py --cold --rounds 3                   input not in the page cache
  python tests/benchmarks/bench_pipeline.py --rows 10000 --without pandas       a quick look
"""


def at_least(least: int, text: str) -> int:
    number = int(text.replace("_", "").replace(",", "")) if text.replace("_", "").replace(",", "").isdecimal() else -1
    if number < least:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number of at least {least}")
    return number


def build_parser() -> argparse.ArgumentParser:
    from pipeline.contenders import OPTIONAL

    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=lambda text: at_least(100, text), default=100_000, help="prompts (100,000)")
    parser.add_argument(
        "--rounds", type=lambda text: at_least(1, text), default=5, help="turns of every contender (5; pandas: 2)"
    )
    parser.add_argument("--cold", action="store_true", help="drop the input from the page cache before every turn")
    parser.add_argument(
        "--without", nargs="+", default=[], choices=OPTIONAL, metavar="NAME", help="contenders to leave out"
    )
    parser.add_argument("--folder", type=Path, help="where files go while it runs (the temporary folder)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write all figures to this file")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    from pipeline.report import as_json, render  # imports NumPy and the engine: not needed for --help
    from pipeline.rounds import measure

    with tempfile.TemporaryDirectory(prefix="bench-pipeline-", dir=arguments.folder) as folder:
        results = measure(
            arguments.rows, arguments.rounds, arguments.cold, arguments.without, Path(folder), progress=_said
        )
    print(render(results))
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(as_json(results), indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten: {arguments.json}")
    return 0


def _said(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
