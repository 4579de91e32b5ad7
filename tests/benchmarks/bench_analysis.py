"""Responses a second of `curriculum-verl analyze`, and the most memory that it holds, on two runs that were made up.

Prints a table; the figures never decide the exit code.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from arguments import parser, whole
from machine import header
from measuring import run_rounds, said, spread_of
from pipeline.processes import Work, run
from report import shown, table, write_json

EXAMPLES = """examples:
  python tests/benchmarks/bench_analysis.py                           10^5 and 10^6 responses, half an hour
  python tests/benchmarks/bench_analysis.py --responses 1e4 --rounds 1   a quick look
  python tests/benchmarks/bench_analysis.py --workers 1 2             the same in one process and in two
"""
TO_A_PROMPT = 8
DIFFERENT = 4096  # lines that are really made; others repeat them under ids of their own


def build_parser() -> argparse.ArgumentParser:
    made = parser(__doc__, EXAMPLES)
    sizes = [10**5, 10**6]
    made.add_argument("--responses", type=whole(2 * TO_A_PROMPT), nargs="+", default=sizes, help="(1e5 1e6)")
    made.add_argument("--workers", type=whole(1), nargs="+", default=[1], help="processes (default: 1)")
    made.add_argument("--rounds", type=whole(1), default=5, help="analyses of each (default: 5)")
    return made


def make(folder: Path, count: int) -> int:
    """Two runs of half the responses each, with the same prompts; returns how many bytes they have."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from analysis.made_up import rollout

    for name in ("base", "full"):
        rng = random.Random(name)
        lines = count // 2 // TO_A_PROMPT
        made = [rollout(name, number, number % 12, rng, TO_A_PROMPT) for number in range(min(DIFFERENT, lines))]
        texts = [json.dumps(line, separators=(",", ":")).split(f'"{line["id"]}"') for line in made]
        with (folder / f"{name}.jsonl").open("w") as file:
            for number in range(lines):
                before, after = texts[number % len(texts)]
                file.write(f'{before}"task-{number}"{after}\n')
    return sum(path.stat().st_size for path in folder.glob("*.jsonl"))


def analyze(data: Path, count: int, workers: int) -> dict[str, float]:
    """One analysis in a process of its own; memory is that of the process and its workers together."""
    runs = "base={source}/base.jsonl", "full={source}/full.jsonl"
    options = "--out", "{target}/out", "--workers", str(workers)
    work = Work("analyze", ("{python}", "-m", "curriculum_verl.cli", "analyze", "--runs", *runs, *options))
    with tempfile.TemporaryDirectory() as name:
        found = run(work, data, Path(name))
        if not (Path(name) / "out" / "report.html").is_file():
            raise SystemExit("the analysis wrote no report")
    return {
        "seconds": found["seconds"],
        "cpu_seconds": found["cpu_seconds"],
        "rate": count / found["seconds"],
        "peak_megabytes": found["peak_bytes"] / 1e6,
    }


def measure(folder: Path, counts: Sequence[int], workers: Sequence[int], rounds: int) -> list[dict[str, Any]]:
    """An entry for every number of responses and of processes, with what every round told."""
    turns, sizes = {}, {}
    for count in counts:
        data = folder / str(count)
        data.mkdir(exist_ok=True)
        sizes[count] = make(data, count) / 1e6
        turns |= {(count, number): partial(analyze, data, count, number) for number in workers}
    found = run_rounds(turns, rounds, said)
    return [{"responses": n, "workers": w, "megabytes": sizes[n], **told} for (n, w), told in found.items()]


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    print(header("numpy", "msgspec", "matplotlib"), end="\n\n")
    with tempfile.TemporaryDirectory() as name:
        results = measure(Path(name), arguments.responses, arguments.workers, arguments.rounds)
    print(f"Medians (least - most) of {arguments.rounds} shuffled rounds, whole processes.\n")
    titles = ["responses", "workers", "input MB", "seconds", "processor s", "responses a second", "peak MB"]
    print(table(titles, map(_cells, results), words=()))
    write_json(arguments.json, results)
    return 0


def _cells(found: dict[str, Any]) -> list[str]:
    counts = [f"{found['responses']:,}", str(found["workers"]), f"{found['megabytes']:,.1f}"]
    figures = ("seconds", "cpu_seconds", "rate", "peak_megabytes")
    return [*counts, *(shown(spread_of(found[figure])) for figure in figures)]


if __name__ == "__main__":
    sys.exit(main())
