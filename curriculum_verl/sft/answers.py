"""Accuracy of generated answers: the model answers every chat of a data set, a verifier judges."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.scoring import Component, Response
from curriculum_verl.sft.chat import render, text_of
from curriculum_verl.sft.data import sees
from curriculum_verl.sft.samples import Sample


def answer(
    model: Any, processing: Any, samples: Sequence[Sample], *, batch: int, new_tokens: int, **generation: Any
) -> Iterator[str]:
    """The model's greedy answer to every chat, its last message left out."""
    ask = _ask_with_images if sees(processing) else _ask
    tokenizer = processing.tokenizer if sees(processing) else processing
    for first in range(0, len(samples), batch):
        inputs = ask(processing, samples[first : first + batch])
        with torch.no_grad():
            made = model.generate(
                **{name: value.to(model.device) for name, value in inputs.items()},
                max_new_tokens=new_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                **generation,
            )
        yield from tokenizer.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def _ask(tokenizer: Any, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
    encoded = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in _prompts(tokenizer, samples)]
    length = max(map(len, encoded))
    pad = tokenizer.pad_token_id
    return {
        "input_ids": torch.tensor([[pad] * (length - len(ids)) + ids for ids in encoded]),
        "attention_mask": torch.tensor([[0] * (length - len(ids)) + [1] * len(ids) for ids in encoded]),
    }


def _ask_with_images(processor: Any, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
    from curriculum_verl.sft.vision import Seer

    return Seer(processor).inputs(_prompts(processor.tokenizer, samples), samples, padding_side="left")


def _prompts(tokenizer: Any, samples: Sequence[Sample]) -> list[str]:
    return [render(tokenizer, sample.messages[:-1], sample.tools, ask=True) for sample in samples]


def judge(verifier: Component, samples: Sequence[Sample], texts: Sequence[str]) -> list[float]:
    """The score of every answer; a task that no verifier can judge is an error, not a zero."""
    scores = []
    for sample, text in zip(samples, texts, strict=True):
        asked = "\n".join(text_of(message) for message in sample.messages[:-1])
        score = verifier.score(
            Response(text, sample.ground_truth, sample.data_source, sample.style, asked, sample.extra)
        )
        if score.value is None:
            raise InputError(f"the answer {text[:60]!r} cannot be judged: {score.failure}; see evaluation.verifier")
        scores.append(score.value)
    return scores
