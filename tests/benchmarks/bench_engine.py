"""Time and memory of the engine under every policy, beside plain re-statements of the peers' rules.

Prints tables and the goals that were set; the figures never decide the exit code.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

EXAMPLES = """examples:
  python tests/benchmarks/bench_engine.py                                  10^4 to 10^7 prompts
  python tests/benchmarks/bench_engine.py --json build/bench_engine.json   the same, with JSON (make bench)
  python tests/benchmarks/bench_engine.py --sizes 1e4 1e5 --rounds 7       a quick look
"""


def prompt_count(text: str) -> int:
    """A whole number, which may be written 1e6."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if number < 100 or number != int(number):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number of at least 100, such as 10000 or 1e6")
    return int(number)


def round_count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number of at least 1")
    return int(text)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = [10**4, 10**5, 10**6, 10**7]
    parser.add_argument("--sizes", type=prompt_count, nargs="+", default=sizes, help="prompts (default: 1e4 to 1e7)")
    parser.add_argument(
        "--rounds", type=round_count, default=15, help="turns of every contender; medians are reported (default: 15)"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write all figures to this file")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    from report import as_json, render  # imports NumPy and the engine: not needed for --help

    results = measure(sorted(set(arguments.sizes)), arguments.rounds)
    print(render(results))
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(as_json(results), indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten: {arguments.json}")
    return 0


def measure(sizes: list[int], rounds: int) -> Any:
    """Everything that the report shows, as report.Results."""
    from contenders import CHOICES_OVER_ALL, SETUPS, peer_contenders
    from goals import find_goals
    from measuring import extrapolated, machine_facts, measure_save, peak_rss, prepare, run_rounds
    from report import Results
    from tqdm import tqdm

    ways = [(setup, size) for size in sizes for setup in SETUPS]
    peers = peer_contenders(sizes)
    total = 2 * len(ways) + rounds * (len(ways) + len(peers))
    with tqdm(total=total, disable=not sys.stderr.isatty(), leave=False) as bar:
        progress = _progress(bar)
        engines, memory, saves = {}, {}, {}
        for setup, size in ways:
            progress(f"building {setup.name}, {size:,} prompts")
            engines[setup.name, size], memory[setup.name, size] = prepare(setup, size)
        # All sizes stay in memory (about 40 bytes a prompt in all), so that even sizes are compared within a round.
        times = run_rounds({**engines, **peers}, rounds, progress)
        for key, engine in engines.items():
            progress(f"saving {key[0]}, {key[1]:,} prompts")
            saves[key] = measure_save(engine)
    for peer in CHOICES_OVER_ALL:
        for key, spread in extrapolated(times, peer, sizes).items():
            times[key] = {"draw": spread}
    facts = machine_facts() | {"peak_rss_bytes": peak_rss()}
    return Results(sizes, rounds, facts, times, memory, saves, find_goals(sizes, times, memory, saves))


def _progress(bar: Any) -> Callable[[str], None]:
    def progress(text: str) -> None:
        bar.set_description(text)
        bar.update()

    return progress


if __name__ == "__main__":
    sys.exit(main())
