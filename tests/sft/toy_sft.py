"""A recipe that trains in a second or two on a CPU: chats in three buckets and a model of a few thousand parameters."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from integration.verl_toy import write_model

from curriculum_verl.sft.config import SftConfig, apply_overrides, build_config

BUCKETS = ["simple", "medium", "hard"]


def chat(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def rows(first: int, count: int) -> Iterator[dict[str, Any]]:
    """Simple answers are always the same, medium ones repeat the question, hard ones are sums."""
    for n in range(first, first + count):
        yield {"messages": chat(f"{n % 10}?", "1"), "difficulty": "simple"}
        yield {"messages": chat(f"say {n % 10}", f"{n % 10}"), "difficulty": "medium"}
        yield {"messages": chat(f"{n}+{n}=?", f"{2 * n}"), "difficulty": "hard"}


def write_rows(path: Path, first: int, count: int) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(first, count)))
    return str(path)


def write_toy(folder: Path, dropout: float = 0.2) -> Path:
    write_model(folder / "model", hidden=32, layers=1)
    config = folder / "model" / "config.json"  # dropout: a resumed run must have the same randomness
    config.write_text(json.dumps(json.loads(config.read_text()) | {"attention_dropout": dropout}))
    write_rows(folder / "train.jsonl", 0, 12)
    write_rows(folder / "validation.jsonl", 20, 4)
    return folder


def recipe(toy: Path, output: Path, *overrides: str) -> SftConfig:
    """Two stages that switch at a score nobody needs to learn for, unless overridden."""
    raw = {
        "model": {"path": str(toy / "model")},
        "data": {
            "train": str(toy / "train.jsonl"),
            "validation": [str(toy / "validation.jsonl")],
            "buckets": BUCKETS,
            "max_length": 64,
        },
        "training": {
            "output": str(output),
            "max_steps": 8,
            "batch_size": 4,
            "device_batch_size": 2,
            "learning_rate": 0.01,
            "eval_every": 4,
            "save_every": 4,
            "log_every": 2,
            "keep": 20,
        },
        "curriculum": {
            "stages": [
                {
                    "name": "first",
                    "mix": {"simple": 1.0},
                    "exit": {"metric": "stage/steps", "at_least": 3},
                },
                {"name": "second", "mix": {"simple": 0.5, "medium": 0.25, "hard": 0.25}},
            ],
            "advance": {"validate_now": True},
        },
    }
    return build_config(apply_overrides(raw, overrides))


def told(output: Path, kind: str = "step") -> list[dict[str, Any]]:
    """The lines of a run's metrics file of one kind."""
    lines = [json.loads(line) for line in (output / "curriculum.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    [file] = folder.glob("*.safetensors")
    return load_file(file)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(bool((one[name] == other[name]).all()) for name in one)
