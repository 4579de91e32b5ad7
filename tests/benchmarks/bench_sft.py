"""What a curriculum costs a step of supervised fine-tuning: a plain Trainer and ours, on the same model and chats.

Both train in turns in one process: on one thread of the CPU by processor time, or on a GPU by the clock, which there
waits for the GPU only where a run's timing begins and ends. A step lasts from the end of the one before it, so that
drawing, feedback and logging are in it; evaluations and checkpoints are not. The figures never decide the exit code.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from arguments import parser, whole
from device import CPU, CUDA, Device, add_device, take_device

if TYPE_CHECKING:
    from random import Random

    from report import Goal

EXAMPLES = """examples:
  python tests/benchmarks/bench_sft.py
  python tests/benchmarks/bench_sft.py --rounds 41 --hidden 512 --json build/bench_sft.json
  python tests/benchmarks/bench_sft.py --device cuda --hidden 1024 --layers 24 --words 120 --batch 32 --rounds 11
"""
GOAL = 0.03
WARM_UP = 5  # steps of a run that are left out
SENTENCE = "the sum of two numbers is found by adding first their last digits and then all others from right to left"
PLAIN, OURS = "plain Trainer", "with a curriculum"


def build_parser() -> argparse.ArgumentParser:
    made = parser(__doc__, EXAMPLES)
    add_device(made)
    made.add_argument("--hidden", type=whole(8), default=128, help="width of the model (default: 128)")
    made.add_argument("--layers", type=whole(1), default=4, help="its layers (default: 4)")
    made.add_argument("--words", type=whole(1), default=30, help="words of an answer (default: 30)")
    made.add_argument("--batch", type=whole(1), default=8, help="chats of a step (default: 8)")
    made.add_argument("--steps", type=whole(WARM_UP + 2), default=20, help="steps of a run (default: 20)")
    made.add_argument("--rounds", type=whole(1), default=21, help="runs of each (default: 21)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    device = take_device(arguments.device)
    from machine import header, peak_memory
    from measuring import ratio, spread_of
    from report import render_goals, shown, table, write_json

    print(header("torch", "transformers", "accelerate", gpu=device.gpu), end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), arguments, device)
    ratios = ratio(found[OURS], found[PLAIN])
    time = "processor time" if device.name == CPU else "time of the clock"
    print(f"{arguments.rounds} runs of each of {arguments.steps} steps of {arguments.batch} chats, in turns;")
    print(f"medians (least - most) of their means, in {time}. {peak_memory()}{device.held()}\n")
    rows = [[f"ms a step, {kind}", shown(spread_of(times), 1e3)] for kind, times in found.items()]
    rows.append([f"{OURS}, times the other, round by round", shown(ratios)])
    print(table(["supervised fine-tuning", "measured"], rows))
    print(f"\n{render_goals([goal(found)])}")
    write_json(arguments.json, found)
    return 0


def goal(found: dict[str, list[float]]) -> "Goal":
    """Whether the goal is met, as far as the middle half of the rounds says the same."""
    from report import Goal, number

    rounds = sorted(100 * (ours / plain - 1) for ours, plain in zip(found[OURS], found[PLAIN], strict=True))
    low, high = rounds[len(rounds) // 4], rounds[-1 - len(rounds) // 4]
    split = low <= 100 * GOAL < high
    undecided = f"the middle half of the rounds lies between {number(low)} and {number(high)} %" if split else ""
    what = "a step with a curriculum, longer by"
    return Goal(what, "", median(rounds), 100 * GOAL, at_most=True, unit="%", undecided=undecided)


def measure(folder: Path, arguments: argparse.Namespace, device: Device) -> dict[str, list[float]]:
    """Seconds of a step of both, run by run."""
    from measuring import run_rounds, said
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    prepare(folder, arguments)

    def turn(kind: str) -> dict[str, float]:
        with redirect_stdout(sys.stderr):  # what trainers say is no part of the report
            return {"step": one_run(kind, Path(tempfile.mkdtemp(dir=folder)), folder, arguments, device)}

    found = run_rounds({kind: partial(turn, kind) for kind in (PLAIN, OURS)}, arguments.rounds, said)
    return {kind: told["step"] for kind, told in found.items()}


def prepare(folder: Path, arguments: argparse.Namespace) -> None:
    """A small Qwen2 of random weights, and chats in three buckets."""
    import random

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from integration.verl_toy import write_model

    write_model(folder / "model", hidden=arguments.hidden, layers=arguments.layers)
    config = folder / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": 4096}))
    randomness = random.Random(0)
    # All of one length, and enough that the plain Trainer comes to the end of no epoch, where its batch is smaller:
    # both have the same work to do.
    enough = arguments.steps * arguments.batch // 3 + 1
    for name, count in (("train", enough), ("validation", 1)):
        rows = []
        for bucket in ("simple", "medium", "hard"):
            for _ in range(count):
                said = [" ".join(shuffled(randomness, n)) for n in (8, arguments.words)]
                messages = [{"role": "user", "content": said[0]}, {"role": "assistant", "content": said[1]}]
                rows.append({"messages": messages, "difficulty": bucket})
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def shuffled(randomness: "Random", count: int) -> list[str]:
    """So many words, always the same ones."""
    words = (SENTENCE.split() * count)[:count]
    randomness.shuffle(words)
    return words


def one_run(kind: str, output: Path, folder: Path, arguments: argparse.Namespace, device: Device) -> float:
    """The mean time of a step."""
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
                "bf16": device.name == CUDA,
            },
            "curriculum": {"stages": stages, "checkpoint_stages": False},
        }
    )
    ours = build_trainer(config)

    class Clock(TrainerCallback):
        """After all other callbacks of a step."""

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step in (WARM_UP, arguments.steps):
                ends.append(device.now())

    ends: list[float] = []
    if kind == PLAIN:

        def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
            return {key: value for key, value in ours.data_collator(rows).items() if key != ROWS}

        plain = training_arguments(config)
        plain.metric_for_best_model = None
        trainer = Trainer(ours.model, plain, collate, ours.train_dataset, ours.eval_dataset)
    else:
        trainer = ours
    trainer.add_callback(Clock())
    trainer.train()
    began, ended = ends
    return (ended - began) / (arguments.steps - WARM_UP)


if __name__ == "__main__":
    sys.exit(main())
