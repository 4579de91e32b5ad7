"""Bucket files cut into chunks that can be worked on apart, at places where a prompt starts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from curriculum_verl.bucketing.manifest import Bucket, BucketManifest
from curriculum_verl.errors import InputError, unknown_name
from curriculum_verl.rollouts.ids import IdsHash
from curriculum_verl.rollouts.lines import BLOCK

CHANGED = "the file has changed since the bucketing: run bucket_rollouts_by_difficulty.py again"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some prompts of a bucket: `first` is the number of the first one over all buckets, `hash` that of the bytes."""

    bucket: str
    path: Path
    start: int
    end: int
    first: int
    prompts: int
    hash: str

    def lines(self) -> Iterator[bytes]:
        """The lines, one at a time; at the end an error if they are not those that the bucketing wrote."""
        seen = xxhash.xxh3_128()
        with self.path.open("rb", buffering=BLOCK) as file:
            file.seek(self.start)
            left = self.end - self.start
            while left > 0 and (line := file.readline()):
                left -= len(line)
                seen.update(line)
                yield line
        if seen.hexdigest() != self.hash:
            raise InputError(f"{self.path}: got other content from byte {self.start:,} to {self.end:,}; {CHANGED}")


def select(manifest: BucketManifest, names: Sequence[str] | None) -> list[Bucket]:
    """The buckets of these names, easiest first, whatever the order of the names; by default all."""
    known = [bucket.name for bucket in manifest.buckets]
    if not known:
        raise InputError("got no buckets, the manifest of the bucket folder names none; bucket the rollouts again")
    for name in names or ():
        if name not in known:
            raise InputError(f"--buckets: {unknown_name('bucket', name, known)}")
    chosen = [bucket for bucket in manifest.buckets if names is None or bucket.name in names]
    empty = [bucket.name for bucket in chosen if not bucket.prompts]
    if empty:
        rest = [bucket.name for bucket in chosen if bucket.prompts]
        todo = f"leave it out: --buckets {' '.join(rest)}" if rest else "cut the buckets elsewhere"
        raise InputError(f"bucket {', '.join(empty)}: got no prompts, the bucketing put none there; {todo}")
    return chosen


def chunks_of(folder: Path, manifest: BucketManifest, bucket: Bucket) -> Iterator[Chunk]:
    """The chunks of a bucket in order; prompts are numbered over all buckets of the manifest, easiest first."""
    place = manifest.buckets.index(bucket)
    first = sum(before.prompts for before in manifest.buckets[:place])
    for file in bucket.files:
        ends = [*file.starts, (file.bytes, file.prompts, "")]
        for (start, number, digest), (end, next_number, _) in pairwise(ends):
            yield Chunk(bucket.name, folder / file.path, start, end, first + number, next_number - number, digest)
        first += file.prompts


class BucketCheck:
    """Sees every prompt and line of a bucket go by and says, at the end, whether they are those of the manifest."""

    def __init__(self, folder: Path, bucket: Bucket):
        self._where = ", ".join(str(folder / file.path) for file in bucket.files)
        self._bucket = bucket
        self._hash = IdsHash()
        self._prompts = self._lines = 0

    def update(self, chunk: Chunk, keys: NDArray[np.uint64], lines: int) -> None:
        """Take the prompts of the next chunk; an error if they are more or fewer than it should hold."""
        if len(keys) != chunk.prompts:
            where = f"from byte {chunk.start:,} to {chunk.end:,}"
            raise InputError(f"{chunk.path}: got {len(keys):,} prompts {where}, expected {chunk.prompts:,}; {CHANGED}")
        self._hash.update(keys)
        self._prompts += len(keys)
        self._lines += lines

    def finish(self) -> None:
        """An error if anything differs."""
        got = (self._prompts, self._lines, str(self._hash))
        expected = (self._bucket.prompts, self._bucket.lines, self._bucket.ids_hash)
        if got != expected:
            what = [f"{n:,} prompts in {lines:,} lines with ids hash {ids}" for n, lines, ids in (got, expected)]
            raise InputError(f"{self._where}: got {what[0]}, the manifest says {what[1]}; {CHANGED}")
