"""How long the page of `tune` takes to answer an edit: the text, the check, the simulation, pictures and tables.

python tests/benchmarks/bench_tuning.py

It prints and asserts nothing. The goal: less than a second of the server's time at the default number of steps. Times
are of the clock, the median of five edits; in brackets the processor's, which says more where others use the machine.
"""

import argparse
import statistics
import time
from pathlib import Path

from curriculum_verl.commands.tune import build_parser, prepare
from curriculum_verl.tuning.events import Events
from curriculum_verl.tuning.layout import lay_out
from curriculum_verl.tuning.model import first_view
from curriculum_verl.web.quiet import gr

ROOT = Path(__file__).parents[2]
RECIPES = [
    *(f"examples/{name}.yaml" for name in ("three_stages", "posterior", "uniform")),
    *(f"recipes/grpo_curriculum/{name}.yaml" for name in ("five_stages", "adarft", "posterior_filter")),
]


def edits(recipe: Path, steps: int, count: int = 5) -> tuple[float, float]:
    """Seconds of the clock and of the processor that an edit takes."""
    tuning = prepare(build_parser().parse_args([str(recipe), "--steps", str(steps)]))
    view = first_view(tuning)
    with gr.Blocks():
        events = Events(tuning, lay_out(tuning, view), gr.State(view))
    clock, processor = [], []
    for number in range(count):
        began, spent = time.perf_counter(), time.process_time()
        view = events._field("replay_floor", view, 0.05 + number / 100)[0]
        clock.append(time.perf_counter() - began)
        processor.append(time.process_time() - spent)
    return statistics.median(clock), statistics.median(processor)


def main() -> None:
    """A line for each recipe and number of steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[200, 1000])
    args = parser.parse_args()
    for recipe in RECIPES:
        for steps in args.steps:
            clock, processor = edits(ROOT / recipe, steps)
            print(f"{recipe:48}{steps:6} steps  {clock:6.2f} s ({processor:.2f} s)")


if __name__ == "__main__":
    main()
