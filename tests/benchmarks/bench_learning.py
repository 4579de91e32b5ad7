"""Does a curriculum pay? Policies compared through verl's trainer at equal generated tokens, seed by seed.

Runs are done in a shuffled order and kept in a folder: what was interrupted goes on where it was, and what is done is
not done again. Figures never decide the exit code.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]  # examples, and the package beside this file

EXAMPLES = """examples:
  python tests/benchmarks/bench_learning.py                          the quick form: skew, four arms, three seeds
  python tests/benchmarks/bench_learning.py --full                   all settings and arms, five seeds: many hours
  python tests/benchmarks/bench_learning.py --settings main --arms uniform bandit --seeds 2
  python tests/benchmarks/bench_learning.py --report                 only show what is there
"""
QUICK = {"settings": ["skew"], "arms": ["uniform", "dapo", "mixture", "posterior"], "seeds": 3}
FULL_SEEDS = 5


def build_parser() -> argparse.ArgumentParser:
    from learning.arms import read_arms
    from learning.settings import SETTINGS

    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="everything, five seeds")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, metavar="NAME", help=f"of {', '.join(SETTINGS)}")
    names = list(read_arms())
    parser.add_argument("--arms", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--seeds", type=int, metavar="N", help="runs of every arm (3; with --full 5)")
    parser.add_argument(
        "--folder", type=Path, default=Path("build/learning"), help="for all that is made (%(default)s)"
    )
    parser.add_argument("--report", action="store_true", help="run nothing, show what is there")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write all curves to this file")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    from learning.arms import read_arms
    from learning.running import Task, run
    from learning.settings import SETTINGS

    arms = read_arms()
    settings = arguments.settings or (list(SETTINGS) if arguments.full else QUICK["settings"])
    names = arguments.arms or (list(arms) if arguments.full else QUICK["arms"])
    seeds = arguments.seeds or (FULL_SEEDS if arguments.full else QUICK["seeds"])
    tasks = [
        Task(SETTINGS[setting], arms[arm], seed)
        for setting in settings
        for seed in range(seeds)
        for arm in random.Random(f"{setting} {seed}").sample(names, len(names))
    ]
    if not arguments.report:
        from learning.preparing import prepare

        for setting in settings:
            prepare(arguments.folder, SETTINGS[setting])
        for number, task in enumerate(tasks, 1):
            said = f"[{number}/{len(tasks)}] {task.name}"
            print(f"{said}: {'done before' if task.done(arguments.folder) else 'runs'}", flush=True)
            if not task.done(arguments.folder):
                run(arguments.folder, task)
    return show(arguments.folder, tasks, arguments.json)


def show(folder: Path, tasks: Sequence[Any], json_path: Path | None) -> int:
    """All that is done of these tasks."""
    from learning.arms import read_arms
    from learning.report import render

    done = [task for task in tasks if task.done(folder)]
    if not done:
        print("no run is done yet")
        return 1
    for setting in dict.fromkeys(task.setting.name for task in done):
        here = [task for task in done if task.setting.name == setting]
        curves = {
            arm: {task.seed: task.curve(folder) for task in here if task.arm.name == arm}
            for arm in read_arms()
            if any(task.arm.name == arm for task in here)
        }
        print(render(here[0].setting, read_arms(), curves), end="\n\n")
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        found = [{"setting": t.setting.name, "arm": t.arm.name, "seed": t.seed, **t.kept(folder)} for t in done]
        json_path.write_text(json.dumps(found, indent=1) + "\n")
        print(f"written: {json_path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
