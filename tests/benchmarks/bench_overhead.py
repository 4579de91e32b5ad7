"""What a curriculum costs a training step: drawing, putting the responses together, observing them.

Prints medians for a batch of 1,024 prompts with 16 responses each, and with --verl the step times of real runs on the
CPU with and without a curriculum, taken in turns. The figures never decide the exit code.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

EXAMPLES = """examples:
  python tests/benchmarks/bench_overhead.py                       10^4 and 10^6 prompts
  python tests/benchmarks/bench_overhead.py --verl --rounds 3     and real runs, some ten minutes
  python tests/benchmarks/bench_overhead.py --json build/bench_overhead.json
"""
PARTS = ("draw", "gather", "observe", "metrics")
GOAL_MS = 10.0  # for what the engine does of it: draw, observe and metrics
MIX = {"easy": 0.5, "medium": 0.3, "hard": 0.2}
EXIT = {"metric": "train/success_rate", "window": 100, "above": 0.99}


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, nargs="+", default=[10**4, 10**6], help="default: 10000 1000000")
    parser.add_argument("--batch", type=int, default=1024, help="prompts of a batch (default: 1024)")
    parser.add_argument("--responses", type=int, default=16, help="responses of a prompt (default: 16)")
    parser.add_argument("--steps", type=int, default=30, help="steps of each measurement (default: 30)")
    parser.add_argument("--verl", action="store_true", help="also compare real runs of verl on the CPU")
    parser.add_argument("--rounds", type=int, default=3, help="turns of the real runs (default: 3)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write all figures to this file")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    results: dict[str, Any] = {"batch": arguments.batch, "responses": arguments.responses, "engine": []}
    print(f"{arguments.batch} prompts x {arguments.responses} responses, median of {arguments.steps} steps, in ms\n")
    print(f"{'policy':<18}{'prompts':>10}" + "".join(f"{part:>10}" for part in (*PARTS, "engine")))
    for policy in ("uniform", "mixture", "target_difficulty", "posterior"):
        for prompts in arguments.prompts:
            found = measure(policy, prompts, arguments.batch, arguments.responses, arguments.steps)
            results["engine"].append({"policy": policy, "prompts": prompts, **found})
            engine = sum(found.values()) - found["gather"]
            row = "".join(f"{found[part]:>10.2f}" for part in PARTS)
            print(f"{policy:<18}{prompts:>10}{row}{engine:>10.2f}{'' if engine < GOAL_MS else '  over the goal'}")
    if arguments.verl:
        results["verl"] = compare_runs(arguments.rounds)
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
        print(f"\nwritten: {arguments.json}")
    return 0


def measure(policy: str, prompts: int, batch: int, responses: int, steps: int) -> dict[str, float]:
    """Milliseconds of each part."""
    import numpy as np

    from curriculum_verl.curriculum import Curriculum, PromptIndex
    from curriculum_verl.verl_plugin.feedback import gather

    stages = [{"name": "first", "mix": MIX, "exit": EXIT}, {"name": "last", "mix": {"hard": 1.0}}]
    sizes = {"easy": prompts // 2, "medium": prompts // 4, "hard": prompts // 4}
    rng = np.random.default_rng(0)
    difficulty = rng.random(sum(sizes.values()), dtype=np.float32)
    curriculum = Curriculum.from_config(
        {"stages": stages, "policy": {"name": policy}}, PromptIndex.build(sizes, difficulty=difficulty)
    )
    seconds: dict[str, list[float]] = {part: [] for part in PARTS}

    def timed(part: str, action: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = action()
        seconds[part].append(time.perf_counter() - began)
        return result

    def observe(step: int, feedback: Any) -> Any:
        return curriculum.observe(
            step,
            feedback.rows,
            feedback.rewards,
            passed=feedback.passed,
            stages=feedback.stages,
            metrics=feedback.components,
        )

    for step in range(1, steps + 1):
        draw = timed("draw", lambda: curriculum.draw(batch))
        trajectories = made_up(draw, curriculum.index.names, rng.integers(0, 2, (batch, responses)).tolist())
        feedback = timed("gather", lambda given=trajectories: gather(given))
        timed("observe", lambda step=step, feedback=feedback: observe(step, feedback))
        timed("metrics", curriculum.metrics)
    return {part: 1e3 * median(found) for part, found in seconds.items()}


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


def compare_runs(rounds: int) -> dict[str, float]:
    """Step times of the tiny model in real verl, with and without a curriculum, in turns."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from integration.curriculum_runs import curriculum_recipe, make_data
    from integration.verl_runs import train
    from integration.verl_toy import make_toy

    plain: list[float] = []
    with_curriculum: list[float] = []
    overhead: list[float] = []
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        toy, data = make_toy(folder / "toy"), make_data(folder / "data")
        recipe = curriculum_recipe(toy, data)
        files = {f"data.{key}_files": str(getattr(toy, key)) for key in ("train", "val")}
        without = {"curriculum": None, "trainer.v1.trainer_mode": "sync", **files}
        steps = {"trainer.total_training_steps": 12, "trainer.test_freq": -1, "curriculum.checkpoint_stages": False}
        for number in range(rounds):
            run = train(folder / f"with{number}", recipe, steps)
            assert run.code == 0, run.explain()
            with_curriculum += list(run.series("timing_s/step").values())[1:]
            overhead += list(run.series("curriculum/overhead_s").values())[1:]
            run = train(folder / f"plain{number}", recipe, steps | without)
            assert run.code == 0, run.explain()
            plain += list(run.series("timing_s/step").values())[1:]
            print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    found = {"step_s": median(plain), "step_with_s": median(with_curriculum), "overhead_s": median(overhead)}
    found["share"] = found["overhead_s"] / found["step_with_s"]
    print(
        f"\nverl on the CPU, 8 prompts x 4 responses: a step takes {found['step_s']:.2f} s without and "
        f"{found['step_with_s']:.2f} s with a curriculum (ratio {found['step_with_s'] / found['step_s']:.2f}); "
        f"curriculum/overhead_s is {1e3 * found['overhead_s']:.1f} ms, {found['share']:.2%} of the step"
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
