"""How similar consecutive steps are: by hashed n-grams of bytes, or by a user's embedding."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.errors import InputError

Embed = Callable[[Sequence[str]], Any]  # texts to one row of finite numbers each

_GRAM = 4  # bytes; they are read as one number
_BITS = 8  # 256 dimensions
_BLOCK = 64  # steps at a time: few calls, and memory that does not grow with the text
_SPREAD = np.uint32(2654435761)
_PAD = b"\n" * (_GRAM - 1)


def similarities(steps: Sequence[str], embed: Embed | None = None) -> NDArray[np.float64]:
    """The cosine of each step with the next one."""
    found = []
    for start in range(0, len(steps) - 1, _BLOCK):
        block = steps[start : start + _BLOCK + 1]
        found.append(cosines(hashed_vectors(block) if embed is None else _embedded(embed, block)))
    return np.concatenate(found) if found else np.zeros(0)


def hashed_vectors(steps: Sequence[str]) -> NDArray[np.float64]:
    """How often each hashed 4-gram of bytes occurs in each step; case does not count."""
    texts = [step.lower().encode("utf-8", "surrogatepass") for step in steps]
    joined = _PAD + _PAD.join(texts) + _PAD  # a step's grams begin in the padding before it, so none sees another step
    grams = np.ndarray((len(joined) - len(_PAD),), "<u4", joined, strides=(1,))
    lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + len(_PAD)
    cells = np.repeat(np.arange(len(texts)) << _BITS, lengths)
    hashes = grams * _SPREAD
    cells += hashes >> np.uint32(32 - _BITS)
    hashes <<= np.uint32(_BITS)
    signs = hashes.view(np.int32) >> np.int32(31) | np.int32(1)
    counts = np.bincount(cells, weights=signs.astype(np.float64), minlength=len(texts) << _BITS)
    return counts.reshape(len(texts), -1).astype(np.float64, copy=False)


def cosines(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """The cosine of each row with the next one; 0 where a row is all zeros."""
    products = np.einsum("ij,ij->i", vectors[:-1], vectors[1:], dtype=np.float64)
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    norms = np.sqrt(squares[:-1]) * np.sqrt(squares[1:])
    similar: NDArray[np.float64] = np.divide(products, norms, out=np.zeros_like(norms), where=norms > 0)
    return similar


def _embedded(embed: Embed, steps: Sequence[str]) -> NDArray[np.float64]:
    vectors = np.asarray(embed(steps), dtype=np.float64)
    finite = bool(np.isfinite(vectors).all())
    if vectors.ndim != 2 or len(vectors) != len(steps) or not finite:
        got = f"an array of shape {vectors.shape}" + ("" if finite else " with values that are not finite")
        raise InputError(f"embedding: got {got} for {len(steps)} texts, expected one row of finite numbers for each")
    return vectors
