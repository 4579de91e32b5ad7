"""What a response is worth: token accuracy and loss of given answers, by row and by bucket."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.curriculum.tracker import Rate
from curriculum_verl.sft.data import IGNORED

LOSS, ACCURACY, SCORE = "loss", "token_accuracy", "score"


def row_accuracy(logits: torch.Tensor, labels: torch.Tensor, places: torch.Tensor | None = None) -> torch.Tensor:
    """The share of each chat's labels that the model finds likeliest; `places` are the positions of a packed row."""
    given = labels[:, 1:]
    counts = given != IGNORED
    right = (logits[:, :-1].argmax(-1) == given) & counts
    return _by_chat(right, places) / _by_chat(counts, places).clamp(min=1)


def row_loss(logits: torch.Tensor, labels: torch.Tensor, places: torch.Tensor | None = None) -> torch.Tensor:
    """The mean loss of each chat's labels."""
    given = labels[:, 1:]
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), given, ignore_index=IGNORED, reduction="none"
    )
    return _by_chat(losses, places) / _by_chat(given != IGNORED, places).clamp(min=1)


def _by_chat(values: torch.Tensor, places: torch.Tensor | None) -> torch.Tensor:
    """Sums over all tokens but the first, by row, or by chat of a packed row, whose positions begin at 0."""
    if places is None:
        return values.sum(1)
    starts = torch.nonzero(places[0] == 0)[1:, 0].tolist()  # chat n has no loss on its first token
    return torch.stack([part.sum() for part in values[0].tensor_split([start - 1 for start in starts])])


def by_bucket(index: PromptIndex, rows: NDArray[np.int64], values: NDArray[np.floating[Any]]) -> dict[str, float]:
    """The mean value of every bucket that has one; a row that two processes saw counts once."""
    known, first = np.unique(rows, return_index=True)
    buckets, chosen = index.bucket_of(known), values[first].astype(np.float64)
    return {
        name: float(chosen[buckets == number].mean())
        for number, name in enumerate(index.names)
        if (buckets == number).any()
    }


def bucket_metrics(measured: Mapping[str, Mapping[str, float]], buckets: Sequence[str]) -> dict[str, float]:
    """Flat metrics: every measure by bucket, and its mean over the buckets, which is the same thing in every stage."""
    found: dict[str, float] = {}
    for what, values in measured.items():
        found[what] = float(np.mean(list(values.values())))
        found |= {f"{bucket}_{what}": values[bucket] for bucket in buckets if bucket in values}
    return found


def scores_of(metrics: Mapping[str, float], index: PromptIndex, *, rates: bool) -> dict[str, float | Rate]:
    """The score of every bucket out of the metrics of an evaluation, as the engine takes it."""
    sizes = index.by_name(index.sizes)
    found = {bucket: metrics[f"eval_{bucket}_{SCORE}"] for bucket in index.names if f"eval_{bucket}_{SCORE}" in metrics}
    return {bucket: Rate(score, sizes[bucket]) if rates else score for bucket, score in found.items()}
