"""The prompts of a run: buckets as ranges of row numbers, easiest first, and what is known of them beforehand."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class PromptIndex:
    """Bucket b holds the prompts offsets[b] to offsets[b + 1]; no prompt costs an object, or without arrays a byte.

    `data_hash` says which prompts they are, `files_hash` what is written of them and of those for validation.
    `difficulty` (larger is harder) and `pass_rate` (offline, NaN where unknown) are in row order when they are given.
    """

    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    data_hash: str = ""
    files_hash: str = ""
    difficulty: NDArray[np.float32] | None = None
    pass_rate: NDArray[np.float16] | None = None
    offsets: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "offsets", np.concatenate([[0], np.cumsum(self.sizes)]))

    @classmethod
    def build(
        cls,
        buckets: dict[str, int],
        *,
        data_hash: str = "",
        files_hash: str = "",
        difficulty: Sequence[float] | NDArray[np.floating] | None = None,
        pass_rate: Sequence[float] | NDArray[np.floating] | None = None,
    ) -> "PromptIndex":
        """From bucket sizes in order, easiest first; empty buckets and arrays of the wrong length are refused."""
        problems = [
            f"bucket {name!r}: got {size} prompts, expected at least 1" for name, size in buckets.items() if size < 1
        ]
        if not buckets:
            problems.append("got no buckets, expected at least one")
        total = sum(buckets.values())
        for what, values in (("difficulty", difficulty), ("pass_rate", pass_rate)):
            if values is not None and len(values) != total:
                problems.append(f"{what}: got {len(values)} values, expected one for each of the {total} prompts")
        with np.errstate(over="ignore"):
            kept = None if difficulty is None else np.asarray(difficulty, dtype=np.float32)
        if kept is not None and not np.isfinite(kept).all():
            problems.append("difficulty: got values that are not finite 32-bit numbers, expected one for every prompt")
        if pass_rate is not None and np.any((np.asarray(pass_rate) < 0) | (np.asarray(pass_rate) > 1)):
            problems.append("pass_rate: got values outside [0, 1], expected rates, or NaN where unknown")
        if problems:
            raise InputError("prompt index: " + "; ".join(problems))
        return cls(
            names=tuple(buckets),
            sizes=np.array(list(buckets.values()), dtype=np.int64),
            data_hash=data_hash,
            files_hash=files_hash,
            difficulty=kept,
            pass_rate=None if pass_rate is None else np.asarray(pass_rate, dtype=np.float16),
        )

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def bucket_of(self, prompts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The bucket number of each prompt."""
        return np.searchsorted(self.offsets, prompts, side="right") - 1

    def rows(self) -> list[slice]:
        """The rows of every bucket."""
        return [slice(int(first), int(end)) for first, end in pairwise(self.offsets)]

    def identity(self) -> dict[str, Any]:
        """What tells one data set from another: buckets in order, the data's hashes, the values that come with it."""
        arrays = {"difficulty": self.difficulty, "pass_rate": self.pass_rate}
        return {
            "hash": self.data_hash,
            "files": self.files_hash,
            "buckets": [[name, size] for name, size in self.by_name(self.sizes).items()],
            **{
                what: None if values is None else hashlib.blake2b(values.tobytes()).hexdigest()
                for what, values in arrays.items()
            },
        }

    def by_bucket(self, mapping: dict[str, float]) -> NDArray[np.float64]:
        """Values given by bucket name, as an array in bucket order; 0 where none is given."""
        return np.array([mapping.get(name, 0.0) for name in self.names])

    def by_name(self, values: NDArray[Any]) -> dict[str, Any]:
        """Values in bucket order, as plain numbers by bucket name."""
        return dict(zip(self.names, values.tolist(), strict=True))
