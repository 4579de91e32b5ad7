"""Accuracy of generated answers: the model answers every chat of a data set, a verifier judges."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.scoring import Component, Response
from curriculum_verl.sft.chat import render
from curriculum_verl.sft.samples import Sample


def answer(
    model: Any, tokenizer: Any, samples: Sequence[Sample], *, batch: int, new_tokens: int, **generation: Any
) -> Iterator[str]:
    """The model's greedy answer to every chat, its last message left out."""
    for first in range(0, len(samples), batch):
        prompts = [render(tokenizer, s.messages[:-1], s.tools, ask=True) for s in samples[first : first + batch]]
        encoded = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
        length = max(map(len, encoded))
        pad = tokenizer.pad_token_id
        tokens = torch.tensor([[pad] * (length - len(ids)) + ids for ids in encoded], device=model.device)
        mask = torch.tensor([[0] * (length - len(ids)) + [1] * len(ids) for ids in encoded], device=model.device)
        with torch.no_grad():
            made = model.generate(
                input_ids=tokens,
                attention_mask=mask,
                max_new_tokens=new_tokens,
                do_sample=False,
                pad_token_id=pad,
                **generation,
            )
        yield from tokenizer.batch_decode(made[:, length:], skip_special_tokens=True)


def judge(verifier: Component, samples: Sequence[Sample], texts: Sequence[str]) -> list[float]:
    """The score of every answer; a task that no verifier can judge is an error, not a zero."""
    scores = []
    for sample, text in zip(samples, texts, strict=True):
        asked = "\n".join(message["content"] for message in sample.messages[:-1])
        score = verifier.score(
            Response(text, sample.ground_truth, sample.data_source, sample.style, asked, sample.extra)
        )
        if score.value is None:
            raise InputError(f"the answer {text[:60]!r} cannot be judged: {score.failure}; see evaluation.verifier")
        scores.append(score.value)
    return scores
