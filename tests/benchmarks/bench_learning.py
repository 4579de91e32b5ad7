"""Does a curriculum pay? Policies compared through verl's trainer at equal generated tokens, seed by seed.

Runs are done in a shuffled order, two side by side, and kept in a folder: what was interrupted goes on where it was,
what is done is not done again, and the report shows all that is kept there. Figures never decide the exit code.
"""

import argparse
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]  # examples, and the package beside this file

import msgspec  # noqa: E402
from arguments import parser, whole  # noqa: E402

from curriculum_verl.errors import CurriculumError  # noqa: E402

EXAMPLES = """examples:
  python tests/benchmarks/bench_learning.py                          the quick form: skew, three arms, three seeds
  python tests/benchmarks/bench_learning.py --full                   all settings and arms, five seeds: many hours
  python tests/benchmarks/bench_learning.py --settings main --arms uniform_16x4 bandit --seeds 2
  python tests/benchmarks/bench_learning.py --collect runs.jsonl     beside those of other machines
  python tests/benchmarks/bench_learning.py --report                 only show what is there
"""
QUICK_SETTINGS, QUICK_ARMS, QUICK_SEEDS = ["skew"], ["uniform_16x4", "dapo_fast", "posterior"], 3
FULL_SEEDS = 5
MEASURED = (
    "Accuracy is the mean over the levels, which count alike, however many prompts of each are trained on; {held_out} "
    "prompts of each that are not trained on have {responses} responses each from every checkpoint. On its way to a "
    "target the accuracy of a level is averaged with that of the checkpoints before and after, and between two "
    "checkpoints a line is drawn; the least on the way is that of a single checkpoint, of as many as were looked at. "
    "Tokens are those of all responses that were generated to train on, those that a filter dropped included. Who does "
    "not arrive counts as if at the very end of its run: `<=` stands before a ratio that is at most so much, as the "
    "arm did not arrive on every seed, `>=` where the baseline did not, `~` where neither did, and behind it on how "
    "many seeds the arm and the baseline did; a seed on which neither did is no part of the ratio."
)
INTERVALS = (
    "A ratio is the geometric mean over the seeds, with a 95 % bootstrap interval over the seeds in brackets. That is "
    "too narrow for few seeds: of five it holds the truth five times in six; of three it is the least and the most, "
    "which holds it three times in four, of two one time in two. All seeds share the model and the prompts."
)
BUCKETING = (
    "Bucketing took {:,} generated tokens before, once for the model and these prompts and not counted above; uniform "
    "sampling, filtered or not, needs none of them."
)


def build_parser() -> argparse.ArgumentParser:
    from learning.arms import read_arms
    from learning.settings import SETTINGS

    arms = read_arms()
    made = parser(__doc__, EXAMPLES)
    made.add_argument("--full", action="store_true", help="everything, five seeds")
    made.add_argument("--settings", nargs="+", choices=SETTINGS, metavar="NAME", help=f"of {', '.join(SETTINGS)}")
    made.add_argument("--arms", nargs="+", choices=arms, metavar="NAME", help=f"of {', '.join(arms)}")
    made.add_argument("--seeds", type=whole(1), metavar="N", help="runs of every arm (3; with --full 5)")
    made.add_argument("--at-once", type=whole(1), default=2, metavar="N", help="runs side by side (%(default)s)")
    made.add_argument("--folder", type=Path, default=Path("build/learning"), help="of all results (%(default)s)")
    made.add_argument(
        "--collect", type=Path, metavar="PATH", help="add the runs to this file, and show all that it has"
    )
    made.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="draw every setting there, to be shown beside that folder"
    )
    made.add_argument("--report", action="store_true", help="run nothing, show what is there")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    told = build_parser().parse_args(argv)
    from learning.arms import read_arms
    from learning.running import RESULT, Task
    from learning.settings import SETTINGS

    arms = read_arms()
    seeds = told.seeds or (FULL_SEEDS if told.full else QUICK_SEEDS)
    settings = told.settings or (list(SETTINGS) if told.full else QUICK_SETTINGS)
    names = told.arms or (list(arms) if told.full else QUICK_ARMS)
    tasks = [
        Task(SETTINGS[setting], arms[arm], seed)
        for seed in range(seeds)
        for setting in settings
        for arm in random.Random(f"{setting} {seed}").sample(names, len(names))
    ]
    kept = [
        Task(SETTINGS[setting], arms[arm], seed)
        for setting in told.settings or SETTINGS
        for arm in told.arms or arms
        for seed in (range(told.seeds) if told.seeds else seeds_of(told.folder, setting, arm))
    ]
    failed: list[str] = []
    if not told.report:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that verl is ended, too
        words = ["--settings", *settings, "--arms", *names, "--seeds", str(seeds), "--folder", str(told.folder)]
        waiting = [task for task in tasks if not (task.folder(told.folder) / RESULT).exists()]
        with beside(words, min(told.at_once, len(waiting)) - 1):
            elsewhere, failed = run_all(told.folder, tasks)
            failed += run_all(told.folder, elsewhere, wait=True)[1]
    try:
        code = show(told.folder, kept, told.json, told.collect, told.pictures)
    except CurriculumError as error:  # something is kept that was begun with other settings
        code = 1
        failed.append(str(error))
    for words in failed:
        print(f"FAILED: {words}", file=sys.stderr)
    return 1 if failed else code


@contextmanager
def beside(words: Sequence[str], count: int) -> Iterator[None]:
    """So many more processes, which take the runs that nobody does yet; they report nothing, and end with this one."""
    command = [sys.executable, __file__, *words, "--at-once", "1"]
    others = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.terminate()
        for other in others:
            other.wait()


def seeds_of(folder: Path, setting: str, arm: str) -> list[int]:
    """All that have begun there."""
    return sorted(int(place.name) for place in (folder / setting / "runs" / arm).glob("[0-9]*"))


def run_all(folder: Path, tasks: Sequence[Any], *, wait: bool = False) -> tuple[list[Any], list[str]]:
    """What is not done yet, seed after seed: those that run elsewhere, and what was said of those that failed."""
    from claiming import claimed
    from learning.preparing import prepare
    from learning.running import run
    from measuring import said

    elsewhere, failed = [], []
    for number, task in enumerate(tasks, 1):
        try:
            if not task.done(folder):
                with claimed(folder, wait=True), redirect_stdout(sys.stderr):  # where it is no part of the report
                    prepare(folder, task.setting)
            with claimed(task.folder(folder), wait=wait) as ours:
                done = task.done(folder)
                said(f"[{number}/{len(tasks)}] {task.name}: {'done' if done else 'runs' if ours else 'runs elsewhere'}")
                if not ours:
                    elsewhere.append(task)
                elif not done:
                    run(folder, task)
        except (CurriculumError, subprocess.CalledProcessError) as error:
            said(f"{task.name}: {error}")
            failed.append(f"{task.name}: {str(error).splitlines()[0]}")
    return elsewhere, failed


def show(
    folder: Path, tasks: Sequence[Any], json_path: Path | None, collected: Path | None, pictures: Path | None
) -> int:
    """All that is done of these, and what was collected elsewhere."""
    from learning.arms import read_arms
    from learning.goals import judged
    from learning.picture import drawn
    from learning.records import collect, record
    from learning.report import render
    from learning.running import MEASURED_WITH
    from learning.settings import HELD_OUT, SETTINGS
    from report import render_goals, write_json

    arms, goals = read_arms(), []
    done = [record(folder, task) for task in tasks if task.done(folder)]
    if collected:
        done = collect(collected, done, arms)
    if not done:
        print("no run is done yet")
        return 1
    for where, count in Counter(run.done_on for run in done).items():
        print(f"{where}\n- runs: {count}", end="\n\n")
    print(MEASURED.format(held_out=HELD_OUT, responses=MEASURED_WITH), end="\n\n")
    print(INTERVALS, end="\n\n")
    for name in dict.fromkeys(run.setting for run in done):
        runs = [run for run in done if run.setting == name]
        curves = {
            arm: {run.seed: run.curve for run in runs if run.arm == arm}
            for arm in arms
            if any(run.arm == arm for run in runs)
        }
        picture = [drawn(SETTINGS[name], curves, pictures)] if pictures else []
        print(render(SETTINGS[name], arms, curves, *picture), end="\n\n")
        print(BUCKETING.format(runs[0].bucketing_tokens), end="\n\n")
        goals += judged(SETTINGS[name], arms, curves)
    if goals:
        print(render_goals(goals))
    write_json(json_path, msgspec.to_builtins(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
