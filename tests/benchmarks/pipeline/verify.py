"""Whether a contender put the same prompts into the same buckets as ours, and what became of the lines."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from .scripts.cutting import NAMES

SHOWN = 3
SAME = "same prompts in the same buckets"


class _Id(msgspec.Struct):
    id: str


_read_id = msgspec.json.Decoder(_Id).decode


def _rows(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and line of every row."""
    with path.open("rb") as lines:
        for line in lines:
            yield int(_read_id(line).id.removeprefix("row-")), line


class BucketCheck:
    """Compares a folder of buckets with a reference folder made of the same input."""

    def __init__(self, source: Path, rows: int, reference: Path):
        self._source = source
        self._hashes = np.zeros(rows, dtype=np.uint64)
        self._ends = np.zeros(rows + 1, dtype=np.int64)
        for number, line in _rows(source):
            self._hashes[number] = xxhash.xxh3_64_intdigest(line)
            self._ends[number + 1] = self._ends[number] + len(line)
        self._expected, changed = self._buckets(reference)
        if (self._expected < 0).any() or changed:
            raise RuntimeError(f"{reference}: our own buckets lack or change lines")

    def __call__(self, folder: Path) -> str:
        """In words: the same, or how many rows differ and which; then the lines: same bytes, same JSON or neither."""
        buckets, changed = self._buckets(folder)
        differ = np.flatnonzero(buckets != self._expected)
        said = [SAME if not len(differ) else self._told(differ, buckets)]
        if not changed:
            return f"{said[0]}; lines unchanged"
        other = self._other_json(folder, changed)
        said.append("lines written anew" + (f", {other:,} of {len(buckets):,} with other values" if other else ""))
        return "; ".join(said)

    def _told(self, differ: NDArray[np.int64], buckets: NDArray[np.int64]) -> str:
        names = (*NAMES, "nowhere or twice")  # -1 is the last
        examples = (
            f"row {row} in {names[buckets[row]]} for {names[self._expected[row]]}" for row in islice(differ, SHOWN)
        )
        return f"DIFFERENT: {len(differ):,} of {len(buckets):,} prompts in other buckets ({', '.join(examples)})"

    def _buckets(self, folder: Path) -> tuple[NDArray[np.int64], set[int]]:
        """The bucket of every row, -1 for none or several; and the rows whose lines are not those of the input."""
        buckets = np.full(len(self._hashes), -1, dtype=np.int64)
        seen = np.zeros(len(self._hashes), dtype=np.int64)
        changed: set[int] = set()
        for bucket, name in enumerate(NAMES):
            for number, line in _rows(folder / f"{name}.jsonl"):
                buckets[number], seen[number] = bucket, seen[number] + 1
                if xxhash.xxh3_64_intdigest(line) != self._hashes[number]:
                    changed.add(number)
        buckets[seen != 1] = -1
        return buckets, changed

    def _other_json(self, folder: Path, changed: set[int]) -> int:
        """How many of the changed lines say something else than those of the input."""
        other = 0
        with self._source.open("rb") as file:
            for name in NAMES:
                for number, line in _rows(folder / f"{name}.jsonl"):
                    if number in changed:
                        file.seek(int(self._ends[number]))
                        was = file.read(int(self._ends[number + 1] - self._ends[number]))
                        other += _value(line) != _value(was)
        return other


def _value(line: bytes) -> Any:
    return msgspec.json.decode(line)
