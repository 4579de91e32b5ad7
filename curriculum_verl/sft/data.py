"""The data set of a curriculum: every sample of every bucket, tokenized once, a row for each prompt of the engine."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from curriculum_verl.curriculum import Curriculum, PromptIndex
from curriculum_verl.errors import InputError
from curriculum_verl.sft.chat import Encoded, encode
from curriculum_verl.sft.config import DataConfig
from curriculum_verl.sft.samples import Sample, identity, read_samples, refuse

logger = logging.getLogger(__name__)

IGNORED = -100  # the label of a token that has no loss
ROWS = "rows"  # the key of a batch under which its row numbers travel


class ChatDataset(Dataset[dict[str, Any]]):
    """Samples in bucket order, as token ids and labels. Nothing is ever taken out: who draws decides what is seen."""

    def __init__(self, samples: Sequence[Sample], encoded: Sequence[Encoded], buckets: Sequence[str]):
        self.samples = list(samples)
        sizes = Counter(sample.bucket for sample in samples)
        self.index = PromptIndex.build({name: sizes[name] for name in buckets}, data_hash=identity(samples))
        self._ends = np.cumsum([0, *(len(one.tokens) for one in encoded)])
        self._tokens = np.fromiter((token for one in encoded for token in one.tokens), dtype=np.int32)
        self._spoken = np.fromiter((said for one in encoded for said in one.spoken), dtype=np.bool_)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, row: int) -> dict[str, Any]:
        place = slice(int(self._ends[row]), int(self._ends[row + 1]))
        tokens = torch.from_numpy(self._tokens[place].astype(np.int64))
        spoken = torch.from_numpy(self._spoken[place])
        labels = torch.where(spoken, tokens, IGNORED)
        return {"input_ids": tokens, "labels": labels, ROWS: row, "sample": self.samples[row]}


class CurriculumDataset(ChatDataset):
    """The training data with its curriculum."""

    curriculum: Curriculum

    def advance_curriculum(self) -> None:
        """Begin the next stage now, whatever its conditions say."""
        self.curriculum.switch(+1)

    def roll_back_curriculum(self) -> None:
        """Go back to the stage before."""
        self.curriculum.switch(-1)


def sees(processing: Any) -> bool:
    """Whether this is a processor of images and text, and not a tokenizer."""
    return hasattr(processing, "image_processor")


def load_dataset(
    processing: Any, config: DataConfig, paths: Sequence[str], kind: type[ChatDataset] = ChatDataset
) -> ChatDataset:
    """Read and tokenize files; what is too long is dropped or cut, and counted."""
    samples = read_samples(paths, config.buckets, config.bucket_field, vision=sees(processing))
    tokenizer, length = measure(processing)
    kept: list[tuple[Sample, Encoded]] = []
    reasons: Counter[str] = Counter()
    problems: list[str] = []
    for sample in samples:
        try:
            encoded = encode(tokenizer, sample.messages, sample.tools)
            long = length(encoded, sample) > config.max_length
        except InputError as error:
            problems.append(f"{sample.where}: {error}")
            continue
        if encoded.unsaid:
            reasons["with a turn of the assistant that the chat template renders as nothing: it has no loss"] += 1
        if long:
            reasons[f"longer than {config.max_length} tokens: {'dropped' if config.overlong == 'drop' else 'cut'}"] += 1
            if config.overlong == "drop":
                continue
            encoded = Encoded(encoded.tokens[: config.max_length], encoded.spoken[: config.max_length])
        if not any(encoded.spoken[1:]):  # the first token is never predicted
            reasons["nothing of the assistant in it: dropped"] += 1
            continue
        kept.append((sample, encoded))
    refuse(problems)
    told = "; ".join(f"{count:,} {reason}" for reason, count in reasons.items())
    if told:
        logger.warning("%s: of %s samples %s", ", ".join(paths), f"{len(samples):,}", told)
    sizes = Counter(sample.bucket for sample, _ in kept)
    if empty := [name for name in config.buckets if not sizes[name]]:
        raise InputError(
            f"{', '.join(paths)}: got no sample of bucket {', '.join(empty)}"
            f"{f' ({told})' if told else ''}; expected some of every bucket in data.buckets"
        )
    return kind([sample for sample, _ in kept], [encoded for _, encoded in kept], config.buckets)


def measure(processing: Any) -> tuple[Any, Callable[[Encoded, Sample], int]]:
    """The tokenizer, and how long a chat is by it, images included."""
    if not sees(processing):
        return processing, lambda encoded, sample: len(encoded.tokens)
    from curriculum_verl.sft.vision import Seer

    return processing.tokenizer, Seer(processing).length


class Collator:
    """Pads rows on the right to one length."""

    def __init__(self, pad: int):
        self._pad = pad

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """A batch."""
        length = max(len(row["input_ids"]) for row in rows)
        tokens = torch.full((len(rows), length), self._pad)
        labels = torch.full((len(rows), length), IGNORED)
        mask = torch.zeros((len(rows), length), dtype=torch.long)
        for number, row in enumerate(rows):
            end = len(row["input_ids"])
            tokens[number, :end], labels[number, :end], mask[number, :end] = row["input_ids"], row["labels"], 1
        return {
            "input_ids": tokens,
            "attention_mask": mask,
            "labels": labels,
            ROWS: torch.tensor([row[ROWS] for row in rows]),
        }
