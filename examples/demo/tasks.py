"""The task: running sums modulo 10. Its levels are lengths: who is not quite sure of a digit fails the long ones.

    93312*********=   is answered   92588      (9, 9+3, 9+3+3, ... modulo 10)

Every digit must be right, so that guessing is worth nothing. All prompts have one width, or a model would have to learn
each length anew.
"""

import hashlib
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec

from curriculum_verl.atomic import replacing

LEVELS = (3, 5, 7, 9, 11)  # digits
DATA_SOURCE = "running_sums"
WIDTH = 15  # characters of a prompt
LONGEST_ANSWER = 12  # tokens, with the one that ends it
MOST_TRIES = 100  # for each task that is asked for


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt, what it should be answered with, and how many digits it has."""

    prompt: str
    answer: str
    level: int


def make_task(level: int, randomness: random.Random) -> Task:
    """A task of so many digits."""
    digits = [randomness.randint(1, 9), *(randomness.randint(0, 9) for _ in range(level - 1))]
    answer = accumulate(digits, lambda total, digit: (total + digit) % 10)
    prompt = "".join(map(str, digits)).ljust(WIDTH - 1, "*") + "="
    return Task(prompt, "".join(map(str, answer)), level)


def for_warm_up(task: Task) -> bool:
    """Half of all tasks, by their text: what the warm-up shows the model is not used afterwards."""
    return hashlib.sha256(task.prompt.encode()).digest()[0] % 2 == 0


def for_training(task: Task) -> bool:
    """The other half, of which some are for validation."""
    return not for_warm_up(task)


def make_tasks(
    level: int,
    count: int,
    randomness: random.Random,
    wanted: Callable[[Task], bool],
    make: Callable[[int, random.Random], Task] = make_task,
) -> list[Task]:
    """Different tasks of one level."""
    found: dict[str, Task] = {}
    for _ in range(MOST_TRIES * count):
        task = make(level, randomness)
        if wanted(task):
            found.setdefault(task.prompt, task)
        if len(found) == count:
            return list(found.values())
    raise ValueError(f"found only {len(found)} different tasks of level {level}, expected {count}; ask for fewer")


def as_prompt(number: int, task: Task) -> dict[str, Any]:
    """As `curriculum-verl generate` reads it."""
    return {
        "id": f"task-{number:04}",
        "prompt": task.prompt,
        "ground_truth": task.answer,
        "data_source": DATA_SOURCE,
        "ability": "arithmetic",
        "extra_info": {"level": task.level},
    }


def as_chat(task: Task, bucket: str) -> dict[str, Any]:
    """As supervised fine-tuning reads it."""
    asked, answered = {"role": "user", "content": task.prompt}, {"role": "assistant", "content": task.answer}
    return {"messages": [asked, answered], "difficulty": bucket}


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """One JSON line for each."""
    with replacing(path) as file:
        file.writelines(msgspec.json.encode(row) + b"\n" for row in rows)
