"""Responses a second of `curriculum-verl analyze`, and the most memory that it holds, on two runs that were made up.

Prints a table; the figures never decide the exit code.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = """examples:
  python tests/benchmarks/bench_analysis.py                           10^5 and 10^6 responses, about ten minutes
  python tests/benchmarks/bench_analysis.py --responses 1e4           a quick look
  python tests/benchmarks/bench_analysis.py --workers 1 2             the same in one process and in two
"""
TO_A_PROMPT = 8
DIFFERENT = 4096  # lines that are really made; others repeat them under ids of their own
ANALYZE = "import sys; from curriculum_verl.cli import main; sys.exit(main(sys.argv[1:]))"


def responses(text: str) -> int:
    """A whole number, which may be written 1e6."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if number < 2 * TO_A_PROMPT or number != int(number):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number from {2 * TO_A_PROMPT}, such as 1e6")
    return int(number)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--responses", type=responses, nargs="+", default=[10**5, 10**6], help="(default: 1e5 1e6)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1], help="processes (default: 1)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write all figures to this file")
    return parser


def make(folder: Path, count: int) -> int:
    """Two runs of half the responses each, with the same prompts; returns how many bytes they have."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from analysis.made_up import rollout

    for run in ("base", "full"):
        rng = random.Random(run)
        lines = count // 2 // TO_A_PROMPT
        made = [rollout(run, number, number % 12, rng, TO_A_PROMPT) for number in range(min(DIFFERENT, lines))]
        texts = [json.dumps(line, separators=(",", ":")).split(f'"{line["id"]}"') for line in made]
        with (folder / f"{run}.jsonl").open("w") as file:
            for number in range(lines):
                before, after = texts[number % len(texts)]
                file.write(f'{before}"task-{number}"{after}\n')
    return sum(path.stat().st_size for path in folder.glob("*.jsonl"))


def measure(count: int, workers: int) -> dict[str, float]:
    """One analysis in a process of its own; memory and CPU are that process's own, without its workers'."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = make(folder, count)
        command = [sys.executable, "-c", ANALYZE, "analyze", "--runs", f"base={folder / 'base.jsonl'}"]
        command += [f"full={folder / 'full.jsonl'}", "--out", str(folder / "out"), "--workers", str(workers)]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for
        if process.returncode:
            raise SystemExit(f"the analysis ended with {process.returncode}")
        if not (folder / "out" / "report.html").is_file():
            raise SystemExit("the analysis wrote no report")
    return {
        "responses": count,
        "workers": workers,
        "megabytes": size / 1e6,
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "responses_per_second": count / seconds,
        "peak_megabytes": usage.ru_maxrss * 1024 / 1e6,
    }


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    results = []
    print("responses  workers  input MB  seconds  of CPU  responses/s  peak MB")
    for count in arguments.responses:
        for workers in arguments.workers:
            found = measure(count, workers)
            results.append(found)
            print(_line(found), flush=True)
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


def _line(found: dict[str, float]) -> str:
    counts = f"{found['responses']:9,}  {found['workers']:7}  {found['megabytes']:8.1f}  {found['seconds']:7.1f}"
    counts += f"  {found['cpu_seconds']:6.1f}"
    return f"{counts}  {found['responses_per_second']:11,.0f}  {found['peak_megabytes']:7.0f}"


if __name__ == "__main__":
    sys.exit(main())
