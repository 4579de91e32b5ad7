"""How long the page of `tune` takes to answer an edit: the text, the check, the simulation, pictures and tables.

Prints the server's times and the goal that was set; the figures never decide the exit code.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from arguments import parser, whole
from machine import header, peak_memory
from measuring import run_rounds, said, spreads, timed
from report import Goal, render_goals, shown, table, write_json

from curriculum_verl.commands.tune import build_parser as tune_parser
from curriculum_verl.commands.tune import prepare
from curriculum_verl.tuning import events
from curriculum_verl.tuning.desk import Desk
from curriculum_verl.tuning.layout import lay_out
from curriculum_verl.web.quiet import gr

EXAMPLES = """examples:
  python tests/benchmarks/bench_tuning.py                           six recipes, 200 and 1,000 steps
  python tests/benchmarks/bench_tuning.py --steps 50 --rounds 1     a quick look
"""
ROOT = Path(__file__).parents[2]
RECIPES = [
    *(f"examples/{name}.yaml" for name in ("three_stages", "posterior", "uniform")),
    *(f"recipes/grpo_curriculum/{name}.yaml" for name in ("five_stages", "adarft", "posterior_filter")),
]
GOAL_STEPS, GOAL = 200, 1.0  # seconds at the default number of steps


class Editing:
    """A reader of the page of one recipe, who sets the replay floor anew in every turn and waits for the timeline."""

    def __init__(self, recipe: str, steps: int):
        tuning = prepare(tune_parser().parse_args([str(ROOT / recipe), "--steps", str(steps)]))
        self._desk = Desk(tuning)
        with gr.Blocks():
            self._events = events.Events(tuning, lay_out(tuning, self._desk), gr.State())
        self._number = str(self._desk.sheets[-1].number)
        self._edits = 0

    def turn(self) -> dict[str, float]:
        """Seconds until the fields are answered, and until pictures and tables are there."""
        self._edits += 1
        answered = timed(self._type)
        played = timed(self._play)
        return {"answer": answered["seconds"]} | {what: answered[what] + took for what, took in played.items()}

    def _type(self) -> None:
        value = f"{0.05 + self._edits / 100:.2f}"
        self._number = self._events._typed("replay_floor", self._desk, self._number, value)[0]

    def _play(self) -> None:
        played = events._played(self._desk)
        if played is None:
            raise RuntimeError("the edit was not played: it has changed nothing, or is refused")
        self._desk.playing.shown = played[0]


def build_parser() -> argparse.ArgumentParser:
    made = parser(__doc__, EXAMPLES)
    made.add_argument("--steps", type=whole(1), nargs="+", default=[200, 1000], help="simulated (default: 200 1000)")
    made.add_argument("--rounds", type=whole(1), default=5, help="edits of each (default: 5)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    print(header("gradio", "plotly", "numpy"), end="\n\n")
    turns = {(recipe, steps): Editing(recipe, steps).turn for recipe in RECIPES for steps in arguments.steps}
    measured = run_rounds(turns, arguments.rounds, said)
    found = spreads(measured)
    print(f"Medians (least - most) of {arguments.rounds} edits of each, in turns. {peak_memory()}\n")
    figures = ("answer", "seconds", "cpu_seconds")
    rows = [[name, f"{steps:,}", *(shown(told[one]) for one in figures)] for (name, steps), told in found.items()]
    titles = ["an edit of", "steps", "s until the fields answer", "s until the timeline is there", "processor s"]
    print(table(titles, rows))
    goals = [
        Goal(f"an edit at {GOAL_STEPS} steps", recipe, told["seconds"].median, GOAL, at_most=True, unit="s")
        for (recipe, steps), told in found.items()
        if steps == GOAL_STEPS
    ]
    if goals:
        print(f"\n{render_goals(goals)}")
    entries = [{"recipe": recipe, "steps": steps, **told} for (recipe, steps), told in measured.items()]
    write_json(arguments.json, entries)
    return 0


if __name__ == "__main__":
    sys.exit(main())
