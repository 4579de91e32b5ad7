"""Responses of the model to many prompts at once, and how many of them are right."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch

from curriculum_verl.atomic import replacing
from examples.demo.reward import compute_score
from examples.demo.tasks import LONGEST_ANSWER, Task

DATA_SOURCE = "running_sums"
AT_ONCE = 512  # responses


@torch.inference_mode()
def respond(model: Any, tokenizer: Any, tasks: Sequence[Task], samples: int) -> Iterator[list[str]]:
    """So many responses to each task, at temperature 1. The prompts have one length, so nothing has to be padded."""
    at_once = max(1, AT_ONCE // samples)
    for start in range(0, len(tasks), at_once):
        prompts = tokenizer([task.prompt for task in tasks[start : start + at_once]], return_tensors="pt")
        made = model.generate(
            **prompts,
            do_sample=True,
            top_k=0,
            num_return_sequences=samples,
            max_new_tokens=LONGEST_ANSWER,
        )
        texts = tokenizer.batch_decode(made[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True)
        yield from (texts[row : row + samples] for row in range(0, len(texts), samples))


def score(task: Task, responses: Sequence[str]) -> list[float]:
    """What each response is worth, by the same function that verl is given."""
    return [compute_score(DATA_SOURCE, response, task.answer) for response in responses]


def pass_rates(model: Any, tokenizer: Any, tasks: Mapping[int, Sequence[Task]], samples: int) -> dict[int, float]:
    """The share of right responses, by level."""
    found = {}
    for level, members in tasks.items():
        scores = [score(*pair) for pair in zip(members, respond(model, tokenizer, members, samples), strict=True)]
        found[level] = sum(map(sum, scores)) / (len(members) * samples)
    return found


def rollout(number: int, task: Task, responses: Sequence[str]) -> dict[str, Any]:
    """A prompt with its scored responses, as `curriculum-verl bucket` reads it."""
    return {
        "id": f"task-{number:04}",
        "prompt": [{"role": "user", "content": task.prompt}],
        "response": {"choices": [{"message": {"role": "assistant", "content": text}} for text in responses]},
        "reward": [{"score": value} for value in score(task, responses)],
        "ground_truth": task.answer,
        "data_source": DATA_SOURCE,
        "ability": "arithmetic",
        "extra_info": {"level": task.level},
    }


def write_rollouts(path: Path, tasks: Sequence[Task], responses: Iterable[list[str]]) -> None:
    """One line for each task, as its responses come."""
    with replacing(path) as file:
        for number, (task, texts) in enumerate(zip(tasks, responses, strict=True)):
            file.write(msgspec.json.encode(rollout(number, task, texts)) + b"\n")
