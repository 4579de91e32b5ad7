"""Time and memory of the engine under every policy, beside plain re-statements of the peers' rules.

Prints tables and the goals that were set; the figures never decide the exit code.
"""

import argparse
import sys
from collections.abc import Sequence

from arguments import parser, whole

EXAMPLES = """examples:
  python tests/benchmarks/bench_engine.py                                  10^4 to 10^7 prompts
  python tests/benchmarks/bench_engine.py --sizes 1e4 1e5 --rounds 7       a quick look
  python tests/benchmarks/bench_engine.py --json build/bench_engine.json   the same, with JSON
"""
SIZES = [10**4, 10**5, 10**6, 10**7]


def build_parser() -> argparse.ArgumentParser:
    made = parser(__doc__, EXAMPLES)
    made.add_argument("--sizes", type=whole(100), nargs="+", default=SIZES, help="prompts (default: 1e4 to 1e7)")
    made.add_argument("--rounds", type=whole(1), default=15, help="turns of every contender (default: 15)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    from engine.goals import find_goals  # imports NumPy and the engine: not needed for --help
    from engine.report import Results, as_json, render
    from engine.rounds import measure
    from machine import header
    from report import write_json
    from tqdm import tqdm

    print(header("numpy"), end="\n\n")
    sizes = sorted(set(arguments.sizes))
    with tqdm(disable=not sys.stderr.isatty(), leave=False) as bar:

        def progress(text: str) -> None:
            bar.set_description(text)
            bar.update()

        times, memory, saves = measure(sizes, arguments.rounds, progress)
    results = Results(sizes, arguments.rounds, times, memory, saves, find_goals(sizes, times, memory, saves))
    print(render(results))
    write_json(arguments.json, as_json(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
