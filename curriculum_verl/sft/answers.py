"""Accuracy of generated answers: the model answers every chat of a data set, a verifier judges."""

import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch

from curriculum_verl.rewards.scoring import Component, Response, Score
from curriculum_verl.sft.chat import render, text_of
from curriculum_verl.sft.data import ChatDataset, sees
from curriculum_verl.sft.samples import Sample, refuse

logger = logging.getLogger(__name__)

UNJUDGED = "unjudged"  # the measure of an evaluation: the share of answers that score 0 because of a failure


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


def check_references(verifier: Component | None, *data: ChatDataset | None) -> None:
    """Judge the last message of every chat as answers will be: what is wrong with data shows before training.

    Where no reference of a bucket passes, data and verifier hardly fit, which is said.
    """
    problems: list[str] = []
    for samples in (found.samples for found in data if found is not None and verifier is not None):
        best: dict[str, float] = {}
        for sample in samples:
            score = _score(cast(Component, verifier), sample, text_of(sample.messages[-1]))
            best[sample.bucket] = max(best.get(sample.bucket, 0.0), score.value or 0.0)
            if score.failure is not None:
                problems.append(f"{sample.where}: its own last message cannot be judged: {score.failure}")
        for bucket in [] if problems else [name for name, value in best.items() if value <= 0.0]:
            logger.warning(
                "%s: not one last message of bucket %s passes as an answer; see ground_truth and evaluation.verifier",
                samples[0].where.rpartition(":")[0],
                bucket,
            )
    refuse(problems, "samples that no answer can be judged by; see evaluation.verifier")


def judge(verifier: Component, samples: Sequence[Sample], texts: Sequence[str]) -> list[float]:
    """The score of every answer; nan for one that cannot be judged: the references could, so it is its own fault."""
    scores: list[float] = []
    reasons: list[str] = []
    for sample, text in zip(samples, texts, strict=True):
        score = _score(verifier, sample, text)
        if score.failure is not None:
            reasons.append(f"{sample.where}: {text[:60]!r}: {score.failure}")
        scores.append(math.nan if score.value is None or score.failure is not None else score.value)
    if reasons:
        logger.warning("%d of %d answers cannot be judged and score 0: %s", len(reasons), len(scores), reasons[0])
    return scores


def _score(verifier: Component, sample: Sample, text: str) -> Score:
    asked = "\n".join(text_of(message) for message in sample.messages[:-1])
    return verifier.score(Response(text, sample.ground_truth, sample.data_source, sample.style, asked, sample.extra))
