"""Models that see: processor and model, and batches of chats with images. Only runs of such models import this."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from curriculum_verl.errors import InputError
from curriculum_verl.sft.chat import Encoded, render
from curriculum_verl.sft.data import IGNORED, ROWS
from curriculum_verl.sft.samples import Sample

PLACEHOLDERS = ("boi_token", "image_token")  # Gemma's templates write the first, all others the second


def load_processor(path: str) -> Any:
    """The processor of a model that sees, whose tokenizer renders chats as the processor does."""
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(path)  # type: ignore[no-untyped-call]
    except (ImportError, OSError, ValueError) as error:
        missing = importlib.util.find_spec("torchvision") is None
        hint = " (torchvision is not installed, which it may need: all do that take videos, too)" if missing else ""
        raise InputError(f"model.vision: the processor of {path} cannot be loaded{hint}: {error}") from error
    if not hasattr(processor, "image_processor"):
        raise InputError(
            f"model.vision: got {path}, which sees no images; take a model that does, or model.vision=false"
        )
    tokenizer = processor.tokenizer
    tokenizer.chat_template = processor.chat_template or tokenizer.chat_template
    return processor


def load_seeing(path: str, **options: Any) -> Any:
    """The model."""
    from transformers import AutoModelForImageTextToText

    try:
        return AutoModelForImageTextToText.from_pretrained(path, **options)
    except ValueError as error:
        raise InputError(f"model.vision: {path} is no model for images and text: {error}") from error


def language_modules(model: Any, linear: Sequence[str]) -> list[str]:
    """Of the linear modules those of the language model: what sees, and what translates for it, stays as it is."""
    decoder = model.get_decoder()
    name = next((name for name, module in model.named_modules() if name and module is decoder), None)
    if name is None:
        raise InputError(f"lora.target: {type(model).__name__} does not say which part speaks; name its modules")
    return [module for module in linear if module.startswith(f"{name}.")]


class Seer:
    """Knows how a processor writes an image: by which token it is asked for, and how many come out."""

    def __init__(self, processor: Any):
        self._processor = processor
        self._widths: dict[tuple[int, int], int] = {}
        shown = render(processor.tokenizer, [{"role": "user", "content": [{"type": "image"}]}])
        given = [getattr(processor, name, None) for name in PLACEHOLDERS]
        self.mark = next((token for token in given if token and token in shown), None)
        if self.mark is None:
            raise InputError(
                f"model.vision: the chat template writes no image; expected one of {given} in {shown!r:.80}"
            )
        self._asked = processor.tokenizer.convert_tokens_to_ids(self.mark)

    def length(self, encoded: Encoded, sample: Sample) -> int:
        """How many tokens a chat has with its images, but for line breaks around them that melt with the text's."""
        marks = encoded.tokens.count(self._asked)
        if marks != len(sample.images):
            raise InputError(
                f"got {len(sample.images)} images, but the chat template writes {self.mark!r} {marks} times; "
                "expected as many: no text may hold that token, and the template must show every image"
            )
        return len(encoded.tokens) + sum(self._width(image.size) - 1 for image in sample.images)

    def _width(self, size: tuple[int, int]) -> int:
        """Tokens of an image, which its size decides; so a blank one tells."""
        if size not in self._widths:
            from PIL import Image

            given = self._processor(text=[self.mark], images=[[Image.new("RGB", size)]], add_special_tokens=False)
            self._widths[size] = len(given["input_ids"][0])
        return self._widths[size]

    def inputs(self, texts: Sequence[str], samples: Sequence[Sample], **options: Any) -> dict[str, torch.Tensor]:
        """What the model takes: the images are opened here, and are gone with the batch."""
        images = [[image.open() for image in sample.images] for sample in samples]
        try:
            made = self._processor(
                text=list(texts),
                images=images if any(images) else None,
                padding=True,
                return_tensors="pt",
                add_special_tokens=False,
                **options,
            )
        except (ValueError, TypeError, IndexError, StopIteration) as error:
            rows = ", ".join(image.where for sample in samples for image in sample.images[:1])
            raise InputError(f"{rows}: {type(self._processor).__name__} cannot prepare this batch: {error}") from error
        return dict(made)

    def spread(self, tokens: Sequence[int], spoken: Sequence[bool], written: Sequence[int]) -> list[bool]:
        """What the assistant says of the tokens that a processor wrote, in which every image is many."""
        found = [False] * len(written)
        ends = [number for number, token in enumerate(tokens) if token == self._asked]
        begin = 0
        haystack = np.asarray(written, np.int64)
        for first, last in zip([0, *(end + 1 for end in ends)], [*ends, len(tokens)], strict=True):
            if not any(spoken[first:last]):
                continue
            # A processor may put text around an image, which melts with the first token of what follows.
            first, last = first + (first > 0), last - (last < len(tokens))
            begin = _find(np.asarray(tokens[first:last], np.int64), haystack, begin)
            found[begin : begin + last - first] = spoken[first:last]
            begin += last - first
        return found


class VisionCollator:
    """Calls the processor for a batch; labels are where the assistant speaks, as in a batch of text."""

    def __init__(self, processor: Any):
        self._seer, self._tokenizer = Seer(processor), processor.tokenizer

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """A batch."""
        samples = [row["sample"] for row in rows]
        texts = [render(self._tokenizer, sample.messages, sample.tools) for sample in samples]
        batch = self._seer.inputs(texts, samples, padding_side="right")
        labels = torch.full_like(batch["input_ids"], IGNORED)
        for number, row in enumerate(rows):
            written = batch["input_ids"][number][batch["attention_mask"][number].bool()]
            spoken = (row["labels"] != IGNORED).tolist()
            said = torch.tensor(self._seer.spread(row["input_ids"].tolist(), spoken, written.tolist()))
            labels[number, : len(written)] = torch.where(said, written, IGNORED)
        return {**batch, "labels": labels, ROWS: torch.tensor([row[ROWS] for row in rows])}


def _find(needle: Any, haystack: Any, begin: int) -> int:
    """Where a run of tokens stands."""
    windows = np.lib.stride_tricks.sliding_window_view(haystack[begin:], len(needle))
    places = np.flatnonzero((windows == needle).all(axis=1))
    if not len(places):
        raise InputError("the processor writes other text than the chat template: labels cannot be placed")
    return begin + int(places[0])
