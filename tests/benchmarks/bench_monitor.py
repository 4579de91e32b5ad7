"""How long the monitor takes to open a long run, to tell what one more step has changed, and to find a response.

Prints the server's times and the goals that were set; the figures never decide the exit code.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from arguments import parser, whole
from machine import header, peak_memory
from measuring import Spread, Turn, run_rounds, said, spreads, timed
from report import Goal, number, render_goals, shown, table, write_json

from curriculum_verl.monitor.looking import Choice, look
from curriculum_verl.monitor.runs import open_runs
from curriculum_verl.monitor.updates import TABS, Updates
from curriculum_verl.monitor.watch import Watch

EXAMPLES = """examples:
  python tests/benchmarks/bench_monitor.py                               50,000 steps of 150 metrics
  python tests/benchmarks/bench_monitor.py --steps 1000 --rounds 1       a quick look
"""
OPEN, REFRESH = "the file opened", "refresh after one step:"
OPEN_GOAL, REFRESH_GOAL = 3.0, 200.0  # seconds, milliseconds
PROMPTS, RESPONSES = 512, 8
BUCKETS = ["easy", "medium", "hard"]
NAMES = (
    "reward/final", "reward/coherence", "reward/curiosity", "reward_weighted/final", "reward_weighted/coherence",
    "reward_weighted/curiosity", "curriculum/train/success_rate", "actor/ppo_kl", "actor/kl_loss", "actor/entropy",
    "actor/pg_loss", "actor/grad_norm", "actor/lr", "curriculum/filtering_rate", "response_length/mean",
    "curriculum/curiosity/tools/ZOOM_IN",
    *(f"curriculum/{kind}/{b}" for kind in ("share", "tokens", "forgetting", "response_length") for b in BUCKETS),
    *(f"curriculum/train/{bucket}/success_rate" for bucket in BUCKETS), *(f"val/{bucket}" for bucket in BUCKETS),
)  # fmt: skip


def lines(steps: int, metrics: int, first: int = 1) -> Iterator[str]:
    """A run whose every step tells so many metrics, in eleven stages."""
    draw = random.Random(first)
    names = [*NAMES, *(f"group_{place % 12}/of_metrics/number_{place}" for place in range(metrics - len(NAMES)))]
    values = [repr(draw.random()) for _ in range(5000)]
    if first == 1:
        stages = [f"stage {place}" for place in range(11)]
        yield json.dumps(
            {"kind": "start", "step": 0, "time": 0.0, "stages": stages, "buckets": BUCKETS, "rollouts": "rollouts"}
        )
    for step in range(first, first + steps):
        at = draw.randrange(5000 - metrics)
        told = ",".join(f'"{name}":{value}' for name, value in zip(names, values[at : at + metrics], strict=True))
        test = f'{{"metric":"train/success_rate","test":"above","value":{values[at]},"threshold":2.0,"met":false}}'
        head = f'"kind":"step","step":{step},"time":{step}.0,"stage":"stage {step // 5000}"'
        yield f'{{{head},"exit":[{test}],"metrics":{{{told}}}}}'


def write_rollouts(folder: Path, steps: list[int], prompts: int, responses: int, characters: int) -> None:
    """A log of so many prompts a step."""
    folder.mkdir()
    text = "I look at the picture once more. " * (characters // 33)
    row = {"response": [text] * responses, "reward": [0.0] * responses, "bucket": "easy", "stage": 0}
    for step in steps:
        rows = (json.dumps({"id": f"p{prompt}", "prompt": "?", **row, "step": step}) for prompt in range(prompts))
        (folder / f"rollout_{step:06d}.jsonl").write_text("\n".join(rows) + "\n")


def write_run(folder: Path, steps: int, metrics: int) -> Path:
    """The metrics file of a run, and the log of its last two steps."""
    path = folder / "curriculum.jsonl"
    with path.open("w") as file:
        file.writelines(f"{text}\n" for text in lines(steps, metrics))
    write_rollouts(folder / "rollouts", [steps - 1, steps], PROMPTS, RESPONSES, 4000)
    return path


def opened(folder: Path) -> tuple[Watch, Updates]:
    """A monitor whose page shows everything that is there."""
    watch = Watch(open_runs([folder], [], None))
    updates = Updates(watch)
    watch.refresh(float("inf"))
    updates([], 20, 0, "overview", "", None, None)
    return watch, updates


class Refreshing:
    """One more step is written, and a tab asks for what is new."""

    def __init__(self, path: Path, metrics: int, watch: Watch, updates: Updates, tab: str):
        self._path, self._metrics, self._watch, self._updates, self._tab = path, metrics, watch, updates, tab

    def turn(self) -> dict[str, float]:
        with self._path.open("a") as file:
            file.writelines(f"{text}\n" for text in lines(1, self._metrics, self._watch.runs[0].history.step + 1))
        told: list[Any] = []
        took = timed(lambda: told.extend(self._updates([], 20, 0, self._tab, "", "reward/final", None)))
        return took | {"sent": sum(len(piece) for piece in told if isinstance(piece, str))}


def measure(folder: Path, steps: int, metrics: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of everything that a user waits for, by what it is."""
    path = write_run(folder, steps, metrics)
    opening = run_rounds({OPEN: lambda: timed(lambda: opened(folder))}, rounds, said)
    watch, updates = opened(folder)

    def without_news() -> dict[str, float]:
        seen = updates([], 20, 0, "overview", "", None, None)[-1]
        return timed(lambda: updates([], 20, 0, "overview", "", None, seen))

    turns: dict[str, Turn] = {
        f"{REFRESH} {tab}": Refreshing(path, metrics, watch, updates, tab).turn for tab in TABS
    } | {f"{REFRESH} without news": without_news}
    return opening | run_rounds(turns, rounds, said) | looked(folder, watch, steps, rounds)


def looked(folder: Path, watch: Watch, steps: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Opening a step of the rollout log, which is kept until another is looked at, and a prompt of it."""
    size = sum(file.stat().st_size for file in (folder / "rollouts").iterdir()) / 2e6
    step = f"a step of {PROMPTS} prompts with {RESPONSES} responses each, {size:.0f} MB, in the viewer"
    another = "another prompt of that step"
    found: dict[str, dict[str, list[float]]] = {step: {}, another: {}}
    for turn in range(rounds):
        said(f"round {turn + 1} of {rounds}: {step}")
        here = steps - turn % 2  # what is looked at is always another step than before
        for name, choice in ((step, Choice("", here)), (another, Choice("", here, 7))):
            for what, value in timed(lambda choice=choice: look(watch, choice)).items():
                found[name].setdefault(what, []).append(value)
    return found


def goals(found: dict[str, dict[str, Spread]]) -> list[Goal]:
    middle = {name: told["seconds"].median for name, told in found.items()}
    opening = Goal(OPEN, "", middle[OPEN], OPEN_GOAL, at_most=True, unit="s")
    refreshes = [
        Goal("a refresh after one step", name.removeprefix(REFRESH).strip(), 1e3 * value, REFRESH_GOAL, True, "ms")
        for name, value in middle.items()
        if name.startswith(REFRESH)
    ]
    return [opening, *refreshes]


def build_parser() -> argparse.ArgumentParser:
    made = parser(__doc__, EXAMPLES)
    made.add_argument("--steps", type=whole(2), default=50_000, help="of the run (default: 50,000)")
    made.add_argument("--metrics", type=whole(len(NAMES)), default=150, help="of a step (default: 150)")
    made.add_argument("--rounds", type=whole(1), default=5, help="turns of everything (default: 5)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    print(header("gradio", "plotly", "numpy"), end="\n\n")
    with tempfile.TemporaryDirectory() as name:
        measured = measure(Path(name), arguments.steps, arguments.metrics, arguments.rounds)
        size = (Path(name) / "curriculum.jsonl").stat().st_size / 1e6
    found = spreads(measured)
    print(f"{arguments.steps:,} steps of {arguments.metrics} metrics, {size:,.0f} MB; medians (least - most)")
    print(f"of {arguments.rounds} rounds, tabs in turns. {peak_memory()}\n")
    rows = [
        [
            what,
            *(shown(told[kind], 1e3) for kind in ("seconds", "cpu_seconds")),
            number(told["sent"].median / 1e3) if "sent" in told else "-",
        ]
        for what, told in found.items()
    ]
    print(table(["the server's time", "ms", "processor ms", "kB sent"], rows))
    print(f"\n{render_goals(goals(found))}")
    write_json(arguments.json, measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
