"""What a curriculum costs a training step: drawing, putting the responses together, observing them.

Prints the times of each part, policies in turns, and with --verl the step times of real runs on the CPU with and
without a curriculum, taken in turns. The figures never decide the exit code.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from arguments import parser, whole

EXAMPLES = """examples:
  python tests/benchmarks/bench_overhead.py                       10^4 and 10^6 prompts
  python tests/benchmarks/bench_overhead.py --verl                and real runs, some ten minutes
  python tests/benchmarks/bench_overhead.py --json build/bench_overhead.json
"""
POLICIES = ("uniform", "mixture", "target_difficulty", "posterior")
PARTS = ("draw", "gather", "observe", "metrics")
GOAL_MS = 10.0  # for what the engine does of it: draw, observe and metrics
GOAL_SHARE = 0.01  # of a step of verl, for curriculum/overhead_s
MIX = {"easy": 0.5, "medium": 0.3, "hard": 0.2}
EXIT = {"metric": "train/success_rate", "window": 100, "above": 0.99}
WITH, WITHOUT = "with a curriculum", "without"
WARM_UP = 3


def build_parser() -> argparse.ArgumentParser:
    made = parser(__doc__, EXAMPLES)
    made.add_argument("--prompts", type=whole(4), nargs="+", default=[10**4, 10**6], help="default: 1e4 1e6")
    made.add_argument("--batch", type=whole(1), default=1024, help="prompts of a batch (default: 1024)")
    made.add_argument("--responses", type=whole(1), default=16, help="responses of a prompt (default: 16)")
    made.add_argument("--steps", type=whole(1), default=30, help="steps of each measurement (default: 30)")
    made.add_argument("--verl", action="store_true", help="also compare real runs of verl on the CPU")
    made.add_argument("--rounds", type=whole(1), default=5, help="turns of the real runs (default: 5)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    from machine import header, peak_memory
    from measuring import run_rounds, said, spreads
    from report import Goal, render_goals, shown, table, write_json

    print(header("numpy", *(("verl", "torch", "transformers") if arguments.verl else ())), end="\n\n")
    turns = {
        (policy, prompts): Steps(policy, prompts, arguments.batch, arguments.responses).turn
        for policy in POLICIES
        for prompts in arguments.prompts
    }
    found = spreads(run_rounds(turns, arguments.steps, lambda _: None, WARM_UP))
    titles = ["ms a step", "prompts", *PARTS, "draw, observe and metrics"]
    rows = [
        [policy, f"{prompts:,}", *(shown(told[part], 1e3) for part in (*PARTS, "engine"))]
        for (policy, prompts), told in found.items()
    ]
    print(f"{arguments.batch:,} prompts x {arguments.responses} responses: medians (least - most) of", end=" ")
    print(f"{arguments.steps} steps of each, in turns.\n{peak_memory()}\n\n{table(titles, rows)}")
    what = f"draw, observe and metrics, {arguments.batch:,} x {arguments.responses}"
    goals = [
        Goal(what, f"{policy} at {prompts:,}", 1e3 * told["engine"].median, GOAL_MS, at_most=True, unit="ms")
        for (policy, prompts), told in found.items()
    ]
    results: dict[str, Any] = {"batch": arguments.batch, "responses": arguments.responses}
    results["engine"] = [
        {"policy": policy, "prompts": prompts, **{part: asdict(spread) for part, spread in told.items()}}
        for (policy, prompts), told in found.items()
    ]
    if arguments.verl:
        real = compare_runs(arguments.rounds, said)
        results["verl"] = real
        print(f"\n{render_runs(real)}")
        share = median(real[WITH]["share"])
        goals.append(Goal("curriculum/overhead_s in a step of verl", "", 100 * share, 100 * GOAL_SHARE, True, "%"))
    print(f"\n{render_goals(goals)}")
    write_json(arguments.json, results)
    return 0


class Steps:
    """A run of one policy, a step at a time."""

    def __init__(self, policy: str, prompts: int, batch: int, responses: int):
        import numpy as np

        from curriculum_verl.curriculum import Curriculum, PromptIndex

        stages = [{"name": "first", "mix": MIX, "exit": EXIT}, {"name": "last", "mix": {"hard": 1.0}}]
        sizes = {"easy": prompts // 2, "medium": prompts // 4, "hard": prompts // 4}
        self._rng = np.random.default_rng(0)
        index = PromptIndex.build(sizes, difficulty=self._rng.random(sum(sizes.values()), dtype=np.float32))
        self._curriculum = Curriculum.from_config({"stages": stages, "policy": {"name": policy}}, index)
        self._shape = batch, responses

    def turn(self) -> dict[str, float]:
        """Seconds of each part of one step."""
        from curriculum_verl.verl_plugin.feedback import gather

        seconds: dict[str, float] = {}

        def timed(part: str, action: Callable[[], Any]) -> Any:
            began = time.perf_counter()
            result = action()
            seconds[part] = time.perf_counter() - began
            return result

        curriculum = self._curriculum
        draw = timed("draw", lambda: curriculum.draw(self._shape[0]))
        scores = self._rng.integers(0, 2, self._shape).tolist()
        trajectories = made_up(draw, curriculum.index.names, scores)
        given = timed("gather", lambda: gather(trajectories))
        told = {"passed": given.passed, "stages": given.stages, "metrics": given.components}
        timed("observe", lambda: curriculum.observe(curriculum.step + 1, given.rows, given.rewards, **told))
        timed("metrics", curriculum.metrics)
        return seconds | {"engine": sum(seconds.values()) - seconds["gather"]}


def made_up(draw: Any, names: Sequence[str], scores: list[list[int]]) -> list[Any]:
    """Trajectories as the trainer reads them from verl's store."""
    from curriculum_verl.verl_plugin.feedback import FAILURE, FINAL, SUCCESS, Trajectory

    return [
        Trajectory(
            f"{prompt:036d}_{number}_0",
            {"row": row, "bucket": names[bucket], "stage": draw.stage, "weights": draw.reward_weights, "scales": {}},
            float(score),
            {FINAL: float(score), SUCCESS: float(score), FAILURE: "", "acc": float(score)},
            tokens=1000,
        )
        for prompt, (row, bucket, group) in enumerate(
            zip(draw.prompts.tolist(), draw.buckets.tolist(), scores, strict=True)
        )
        for number, score in enumerate(group)
    ]


def compare_runs(rounds: int, progress: Callable[[str], None]) -> dict[str, dict[str, list[float]]]:
    """Median step times of runs of the tiny model in real verl, with and without a curriculum, in turns."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from integration.curriculum_runs import curriculum_recipe, make_data
    from integration.verl_runs import train
    from integration.verl_toy import make_toy
    from measuring import run_rounds

    from curriculum_verl.manifest import read_manifest

    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # Ray needs a short path
        folder = Path(name)
        toy, data = make_toy(folder / "toy"), make_data(folder / "data")
        recipe = curriculum_recipe(toy, data)
        prompts = [
            str(data.parent / path) for path in read_manifest(data).train_files
        ]  # the same, by verl's own sampler
        files = {"data.train_files": prompts, "data.val_files": str(toy.val)}
        without = {"curriculum": None, "trainer.v1.trainer_mode": "sync", **files}
        steps = {"trainer.total_training_steps": 12, "trainer.test_freq": -1, "curriculum.checkpoint_stages": False}

        def turn(settings: dict[str, Any]) -> dict[str, float]:
            run = train(Path(tempfile.mkdtemp(dir=folder)) / "run", recipe, settings)
            if run.code != 0:
                raise RuntimeError(run.explain())
            step, own = (list(run.series(key).values())[1:] for key in ("timing_s/step", "curriculum/overhead_s"))
            found = {"step": median(step)}
            return found | {"overhead": median(own), "share": median(own) / median(step)} if own else found

        turns = {WITH: lambda: turn(steps), WITHOUT: lambda: turn(steps | without)}
        return run_rounds(turns, rounds, progress)


def render_runs(found: dict[str, dict[str, list[float]]]) -> str:
    from measuring import ratio, spread_of
    from report import shown, table

    ratios = ratio(found[WITH]["step"], found[WITHOUT]["step"])
    rows = [
        ["a step with a curriculum, s", shown(spread_of(found[WITH]["step"]))],
        ["a step without, s", shown(spread_of(found[WITHOUT]["step"]))],
        ["with, times without, round by round", shown(ratios)],
        ["curriculum/overhead_s, ms", shown(spread_of(found[WITH]["overhead"]), 1e3)],
        ["its share of the step, %", shown(spread_of(found[WITH]["share"]), 100)],
    ]
    runs = len(found[WITH]["step"])
    turns = f"medians (least - most) of {runs} runs of each, in turns"
    return f"verl's trainer on the CPU, 8 prompts x 4 responses; {turns}.\n\n{table(['real runs', 'measured'], rows)}"


if __name__ == "__main__":
    sys.exit(main())
