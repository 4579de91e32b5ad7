"""Supervised warm-up in plain PyTorch, stopped early on purpose: in a random model GRPO finds nothing to reinforce."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from examples.demo.tasks import LEVELS, Task, for_warm_up, make_task

BATCH = 64
WEIGHTS = (8, 4, 2, 1, 1)  # mostly short tasks, as the web has mostly simple text; the long ones are left to GRPO
RATE = 1e-3
RAMP = 50  # steps until the full learning rate
IGNORED = -100  # the label of a token that is not to be learned


def collate(tasks: Sequence[Task], tokenizer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and labels of prompts with their answers; only the answers are learned."""
    prompts = tokenizer([task.prompt for task in tasks])["input_ids"]
    answers = [[*ids, tokenizer.eos_token_id] for ids in tokenizer([task.answer for task in tasks])["input_ids"]]
    width = max(len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True))
    tokens = torch.full((len(tasks), width), tokenizer.pad_token_id)
    labels = torch.full((len(tasks), width), IGNORED)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        end = len(prompt) + len(answer)
        tokens[row, :end] = torch.tensor(prompt + answer)
        labels[row, len(prompt) : end] = torch.tensor(answer)
    return tokens, labels


def draw(count: int, randomness: random.Random) -> Iterator[Task]:
    """Tasks of the warm-up's half, levels by their weight."""
    while count:
        task = make_task(randomness.choices(LEVELS, WEIGHTS)[0], randomness)
        if for_warm_up(task):
            count -= 1
            yield task


def warm_up(model: Any, tokenizer: Any, seed: int) -> Iterator[float]:
    """Train without end, with the loss of every step; whoever asks for the next step decides when it is enough."""
    randomness = random.Random(f"warm-up {seed}")
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.01)
    ramp = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / RAMP))
    while True:
        tokens, labels = collate(list(draw(BATCH, randomness)), tokenizer)
        model.train()
        logits = model(input_ids=tokens).logits[:, :-1]
        loss = cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        ramp.step()
        model.eval()
        yield float(loss.detach())
