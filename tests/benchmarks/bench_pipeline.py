"""Time and memory of bucketing and preprocessing as whole processes, beside cat, json.loads, pandas, polars, duckdb.

Prints tables and the goals that were set; the figures never decide the exit code.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from arguments import parser, whole

LIBRARIES = ("msgspec", "pyarrow", "numpy", "polars", "duckdb", "pandas")
EXAMPLES = """examples:
  python tests/benchmarks/bench_pipeline.py                                     100,000 rows, 1.4 GB: 20 minutes
  python tests/benchmarks/bench_pipeline.py --cold --without pandas             input not in the page cache
  python tests/benchmarks/bench_pipeline.py --rows 10000 --without pandas       a quick look
"""


def build_parser() -> argparse.ArgumentParser:
    from pipeline.contenders import OPTIONAL

    made = parser(__doc__, EXAMPLES)
    made.add_argument("--rows", type=whole(100), default=100_000, help="prompts (100,000)")
    made.add_argument("--rounds", type=whole(1), default=5, help="turns of every contender (5)")
    made.add_argument("--cold", action="store_true", help="drop the input from the page cache before every turn")
    made.add_argument("--without", nargs="+", default=[], choices=OPTIONAL, metavar="NAME", help="who is left out")
    made.add_argument("--folder", type=Path, help="where files go while it runs (the temporary folder)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    from machine import header
    from measuring import said
    from pipeline.report import as_json, render  # imports NumPy and the engine: not needed for --help
    from pipeline.rounds import measure
    from report import write_json

    print(header(*LIBRARIES), end="\n\n")
    with tempfile.TemporaryDirectory(prefix="bench-pipeline-", dir=arguments.folder) as folder:
        results = measure(
            arguments.rows, arguments.rounds, arguments.cold, arguments.without, Path(folder), progress=said
        )
    print(render(results))
    write_json(arguments.json, as_json(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
