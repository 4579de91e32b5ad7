"""How long the monitor takes to open a long run, to tell what one more step has changed, and to find a response.

python tests/benchmarks/bench_monitor.py --steps 50000 --metrics 150

It prints and asserts nothing. The goals: the file is open in less than 3 s, and every refresh takes less than 200 ms of
the server's time. Times are of the clock; in brackets the processor's, which says more where others use the machine.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from curriculum_verl.monitor.looking import Choice, look
from curriculum_verl.monitor.runs import open_runs
from curriculum_verl.monitor.updates import TABS, Updates
from curriculum_verl.monitor.watch import Watch

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


def timed(work: Callable[[], Any]) -> tuple[str, Any]:
    """How long it took, and what came of it."""
    began, spent = time.perf_counter(), time.process_time()
    found = work()
    took, cpu = time.perf_counter() - began, time.process_time() - spent
    return (f"{took:.2f} s ({cpu:.2f} s)" if took > 1 else f"{1000 * took:.1f} ms ({1000 * cpu:.1f} ms)"), found


def write_rollouts(folder: Path, steps: list[int], prompts: int, responses: int, characters: int) -> None:
    """A log of so many prompts a step."""
    folder.mkdir()
    text = "I look at the picture once more. " * (characters // 33)
    row = {"response": [text] * responses, "reward": [0.0] * responses, "bucket": "easy", "stage": 0}
    for step in steps:
        rows = (json.dumps({"id": f"p{prompt}", "prompt": "?", **row, "step": step}) for prompt in range(prompts))
        (folder / f"rollout_{step:06d}.jsonl").write_text("\n".join(rows) + "\n")


def main() -> None:
    """Make a run, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--metrics", type=int, default=150)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curriculum.jsonl"
        with path.open("w") as file:
            file.writelines(f"{text}\n" for text in lines(args.steps, args.metrics))
        write_rollouts(Path(folder) / "rollouts", [args.steps - 1, args.steps], 512, 8, 4000)
        print(f"{args.steps:,} steps of {args.metrics} metrics, {path.stat().st_size / 1e6:,.0f} MB")
        watch = Watch(open_runs([Path(folder)], [], None))
        updates = Updates(watch)
        took, _ = timed(lambda: (watch.refresh(float("inf")), updates([], 20, 0, "overview", "", None, None)))
        print(f"open: {took}")
        for tab in TABS:
            with path.open("a") as file:
                file.writelines(f"{text}\n" for text in lines(1, args.metrics, watch.runs[0].history.step + 1))
            took, told = timed(lambda tab=tab: updates([], 20, 0, tab, "", "reward/final", None))
            sent = sum(len(piece) for piece in told if isinstance(piece, str))
            print(f"refresh after one step, {tab}: {took}, {sent / 1000:,.0f} kB sent")
        seen = updates([], 20, 0, "overview", "", None, None)[-1]
        took, _ = timed(lambda: updates([], 20, 0, "overview", "", None, seen))
        print(f"refresh without news: {took}")
        size = sum(file.stat().st_size for file in (Path(folder) / "rollouts").iterdir()) / 2e6
        took, _ = timed(lambda: look(watch, Choice("", args.steps)))
        print(f"a step of 512 prompts with 8 responses each, {size:.0f} MB, opened in the viewer: {took}")
        took, _ = timed(lambda: look(watch, Choice("", args.steps, 7)))
        print(f"another prompt of that step: {took}")


if __name__ == "__main__":
    main()
