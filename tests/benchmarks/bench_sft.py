"""What a curriculum costs a step of supervised fine-tuning: a plain Trainer and ours, on the same model and chats.

Both train in turns in one process, on one thread of the CPU. A step is timed, in processor time, from the end of the
one before it, so that drawing, feedback and logging are in it; evaluations and checkpoints are not. The figures never
decide the exit code.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

EXAMPLES = """examples:
  python tests/benchmarks/bench_sft.py
  python tests/benchmarks/bench_sft.py --rounds 41 --hidden 512 --json build/bench_sft.json
"""
GOAL = 0.03
WARM_UP = 5  # steps of a run that are left out
SENTENCE = "the sum of two numbers is found by adding first their last digits and then all others from right to left"


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hidden", type=int, default=128, help="width of the model (default: 128)")
    parser.add_argument("--words", type=int, default=30, help="words of an answer (default: 30)")
    parser.add_argument("--batch", type=int, default=8, help="chats of a step (default: 8)")
    parser.add_argument("--steps", type=int, default=20, help="steps of a run (default: 20)")
    parser.add_argument("--rounds", type=int, default=21, help="runs of each (default: 21)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write all figures to this file")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), arguments)
    print(f"\n{arguments.rounds} runs of {arguments.steps} steps of {arguments.batch} chats, medians\n")
    for name in ("plain", "curriculum"):
        print(f"{name:<12}{1e3 * found[name]:>9.1f} ms a step")
    print(f"overhead    {found['overhead']:>9.1%}   (by round: {', '.join(f'{x:.1%}' for x in found['rounds'])})")
    print(f"goal: at most {GOAL:.0%}, {verdict(found['rounds'])}")
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
        print(f"written: {arguments.json}")
    return 0


def verdict(rounds: list[float]) -> str:
    """Whether the goal is met, as far as the middle half of the rounds says the same."""
    ordered = sorted(rounds)
    low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    if low <= GOAL < high:
        return f"not decided: the middle rounds lie between {low:.1%} and {high:.1%}"
    return "met" if high <= GOAL else "not met"


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a step of both, and what ours takes longer."""
    import torch
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    prepare(folder, arguments)
    times: dict[str, list[float]] = {"plain": [], "curriculum": []}
    for number in range(arguments.rounds):
        for kind in sorted(times, reverse=number % 2 == 0):
            times[kind].append(one_run(kind, folder / f"{kind}{number}", folder, arguments))
        print(
            f"round {number + 1}: " + ", ".join(f"{kind} {1e3 * t[-1]:.1f} ms" for kind, t in times.items()), flush=True
        )
    medians = {kind: median(found) for kind, found in times.items()}
    rounds = [ours / plain - 1 for plain, ours in zip(times["plain"], times["curriculum"], strict=True)]
    return {**medians, "overhead": median(rounds), "rounds": rounds}


def prepare(folder: Path, arguments: argparse.Namespace) -> None:
    """A small Qwen2 of random weights, and chats in three buckets."""
    import random

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from integration.verl_toy import write_model

    write_model(folder / "model", hidden=arguments.hidden, layers=4)
    config = folder / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": 4096}))
    randomness = random.Random(0)
    for name, count in (("train", 100), ("validation", 1)):
        rows = []
        for bucket in ("simple", "medium", "hard"):
            for _ in range(count):
                said = [" ".join(randomness.choices(SENTENCE.split(), k=n)) for n in (8, arguments.words)]
                messages = [{"role": "user", "content": said[0]}, {"role": "assistant", "content": said[1]}]
                rows.append({"messages": messages, "difficulty": bucket})
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def one_run(kind: str, output: Path, folder: Path, arguments: argparse.Namespace) -> float:
    """The median time of a step."""
    from transformers import Trainer, TrainerCallback

    from curriculum_verl.sft.config import build_config
    from curriculum_verl.sft.data import ROWS
    from curriculum_verl.sft.run import build_trainer, training_arguments

    mix = {"simple": 0.5, "medium": 0.3, "hard": 0.2}
    stages = [
        {"name": "one", "mix": {"simple": 1.0}, "exit": {"metric": "stage/steps", "at_least": 10}},
        {"name": "two", "mix": mix, "exit": {"metric": "train/success_rate", "window": 100, "above": 0.99}},
        {"name": "three", "mix": {"hard": 1.0}},
    ]
    config = build_config(
        {
            "model": {"path": str(folder / "model")},
            "data": {
                "train": str(folder / "train.jsonl"),
                "validation": str(folder / "validation.jsonl"),
                "buckets": ["simple", "medium", "hard"],
            },
            "training": {
                "output": str(output),
                "max_steps": arguments.steps,
                "batch_size": arguments.batch,
                "device_batch_size": arguments.batch,
                "eval_every": 10**6,
                "save_every": 10**6,
            },
            "curriculum": {"stages": stages, "checkpoint_stages": False},
        }
    )
    ours = build_trainer(config)

    class Clock(TrainerCallback):
        """After all other callbacks of a step."""

        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.ends.append(time.process_time())

    if kind == "plain":

        def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
            return {key: value for key, value in ours.data_collator(rows).items() if key != ROWS}

        plain = training_arguments(config)
        plain.metric_for_best_model = None
        trainer = Trainer(ours.model, plain, collate, ours.train_dataset, ours.eval_dataset)
    else:
        trainer = ours
    clock = Clock()
    trainer.add_callback(clock)
    trainer.train()
    return median(
        after - before for before, after in zip(clock.ends[WARM_UP:], clock.ends[WARM_UP + 1 :], strict=False)
    )


if __name__ == "__main__":
    sys.exit(main())
