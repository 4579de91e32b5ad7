"""The second pass: lines copied, byte for byte, into the files of their buckets."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import xxhash
from tqdm import tqdm

from curriculum_verl.bucketing.manifest import BucketFile
from curriculum_verl.bucketing.orders import ORDERS, Orders
from curriculum_verl.parallel import Runner

# Bytes that are written at a time. For larger writes the kernel looks for larger stretches of memory, which takes
# several times as long where memory is in fragments, as it is on a machine that has been at work for a while.
PIECE = 1 << 16
OPEN_END = b"null}"  # how a line ends whose bucket's label is still to be put there
SHARD_BLOCKS = 16  # blocks of orders that a task on a cluster writes: about a gigabyte


@dataclass(slots=True)
class _Shard:
    """A bucket's file while it grows."""

    path: Path
    file: BinaryIO
    size: int = 0
    lines: int = 0
    prompts: int = 0
    starts: list[tuple[int, int, str]] = field(default_factory=list)
    hash: Any = field(default_factory=xxhash.xxh3_128)
    began: tuple[int, int] = (0, 0)

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self.file.write(data)
        self.hash.update(data)
        self.size += len(data)

    def end_part(self) -> None:
        """Close a part: there is one for each table of orders, whoever carries them out."""
        if self.size > self.began[0]:
            self.starts.append((*self.began, self.hash.hexdigest()))
        self.began, self.hash = (self.size, self.prompts), xxhash.xxh3_128()


class ShardWriter:
    """Writes the files of all buckets into a folder; those of the same name are one file.

    With labels, JSON texts, every line ends in OPEN_END, and the label of its bucket is put into it.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        sources: Sequence[Path] | Mapping[int, Path],
        labels: Sequence[bytes] = (),
    ):
        folder.mkdir(parents=True)
        self._sources, self._labels = sources, labels
        self._open: dict[int, BinaryIO] = {}
        paths = {name: folder / name for name in names}
        self._files = {name: _Shard(path, path.open("wb", buffering=PIECE)) for name, path in paths.items()}
        self._shards = [self._files[name] for name in names]

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        for file in [*self._open.values(), *(shard.file for shard in self._files.values())]:
            file.close()

    def write(self, orders: Orders) -> int:
        """Copy these lines; they start with the first line of a prompt. Returns the bytes written."""
        before = sum(shard.size for shard in self._files.values())
        for number in np.unique(orders["bucket"]).tolist():
            shard = self._shards[number]
            mine = orders[orders["bucket"] == number]
            shard.lines += len(mine)
            shard.prompts += int(mine["first"].sum())
        if self._labels:
            for source, start, size, bucket in orders[["source", "start", "size", "bucket"]].tolist():
                self._label(self._shards[bucket], source, start, size, self._labels[bucket])
        else:
            for source, start, length, bucket in _runs(orders):
                self._copy(self._shards[bucket], source, start, length)
        for shard in self._files.values():
            shard.end_part()
        return sum(shard.size for shard in self._files.values()) - before

    def _label(self, shard: _Shard, source: int, start: int, size: int, label: bytes) -> None:
        """One line, with the label of its bucket."""
        line = os.pread(self._source(source).fileno(), size, start)
        if len(line) < size:
            raise OSError(f"{self._sources[source]}: became shorter while it was read; run again")
        shard.write(line.removesuffix(OPEN_END) + label + b"}\n")

    def _copy(self, shard: _Shard, source: int, start: int, length: int) -> None:
        """One or more whole lines with their ends; the last of a file may lack its own, which is added."""
        file = self._source(source)
        end = start + length
        last = b""
        while start < end and (data := os.pread(file.fileno(), min(PIECE, end - start), start)):
            shard.write(data)
            start, last = start + len(data), data[-1:]
        if last != b"\n" and start == end - 1:
            shard.write(b"\n")
        elif start < end:
            raise OSError(f"{self._sources[source]}: became shorter while it was read; run again")

    def _source(self, source: int) -> BinaryIO:
        if source not in self._open:
            for file in self._open.values():
                file.close()
            self._open = {source: self._sources[source].open("rb", buffering=0)}
        return self._open[source]

    def files(self) -> list[tuple[Path, BucketFile]]:
        """Where the shards are, and what the manifest says of each."""
        return [
            (shard.path, BucketFile(shard.path.name, shard.size, shard.lines, shard.prompts, shard.starts))
            for shard in self._files.values()
        ]


def _runs(orders: Orders) -> list[tuple[int, int, int, int]]:
    """Lines that lie side by side and go to the same bucket, as (source, start, length, bucket)."""
    if not len(orders):
        return []
    ends = orders["start"] + orders["size"] + 1
    same = (orders["source"][1:] == orders["source"][:-1]) & (orders["bucket"][1:] == orders["bucket"][:-1])
    first = np.flatnonzero(np.concatenate([[True], ~(same & (orders["start"][1:] == ends[:-1]))]))
    last = np.append(first[1:], len(orders)) - 1
    lengths = ends[last] - orders["start"][first]
    columns = orders["source"][first], orders["start"][first], lengths, orders["bucket"][first]
    return list(zip(*(column.tolist() for column in columns), strict=True))


@dataclass(frozen=True, slots=True)
class WriteTask:
    """Files of orders, and where their shards go."""

    orders: tuple[Path, ...]
    folder: Path
    names: tuple[str, ...]
    sources: dict[int, Path]  # those that the orders name: of very many files a task needs few
    labels: tuple[bytes, ...] = ()


def write_shards(task: WriteTask) -> list[tuple[Path, BucketFile]]:
    """Carry out orders; a task that runs again starts afresh in a folder of its own."""
    folder = task.folder / f"{os.getpid()}-{os.urandom(4).hex()}"
    with ShardWriter(folder, task.names, task.sources, task.labels) as writer:
        for path in task.orders:
            writer.write(np.fromfile(path, dtype=ORDERS))
    return writer.files()


def write_buckets(
    stems: Sequence[str],
    orders: Sequence[Path],
    sources: tuple[Path, ...],
    made: Path,
    work: Path,
    runner: Runner,
    labels: tuple[bytes, ...] = (),
) -> list[list[BucketFile]]:
    """The files of every bucket, in `made`: one each, or on a cluster the shards that its tasks wrote.

    Buckets whose stems are the same share their files, in the order of the input.
    """
    names = tuple(f"{stem}.jsonl" for stem in stems)
    with tqdm(desc="writing", total=len(orders), unit=" blocks", disable=None) as bar:
        if runner.workers == 1 and not runner.distributed:
            with ShardWriter(work / "shards", names, sources, labels) as writer:
                for path in orders:
                    writer.write(np.fromfile(path, dtype=ORDERS))
                    bar.update()
            written = [writer.files()]
        else:
            batches = _batches(orders, runner)
            tasks = [WriteTask(batch, work / "shards", names, _named(batch, sources), labels) for batch in batches]
            written = []
            for batch, files in zip(batches, runner.map(write_shards, tasks), strict=True):
                written.append(files)
                bar.update(len(batch))
    by_file = [[shard for shard in shards if shard[1].prompts] for shards in zip(*written, strict=True)]
    place = _renamed if runner.distributed else _joined
    made_of = {stem: place(stem, shards, made) for stem, shards in zip(dict.fromkeys(stems), by_file, strict=True)}
    return [made_of[stem] for stem in stems]


def _named(orders: Sequence[Path], sources: Sequence[Path]) -> dict[int, Path]:
    numbers = np.unique(np.concatenate([np.fromfile(path, dtype=ORDERS)["source"] for path in orders]))
    return {number: sources[number] for number in numbers.tolist()}


def _batches(orders: Sequence[Path], runner: Runner) -> list[tuple[Path, ...]]:
    """Orders for one task each: on a cluster shards of a useful size, here as few as there are workers."""
    size = SHARD_BLOCKS if runner.distributed else -(-len(orders) // runner.workers)
    return [tuple(orders[first : first + size]) for first in range(0, len(orders), size)]


def _renamed(stem: str, shards: Sequence[tuple[Path, BucketFile]], made: Path) -> list[BucketFile]:
    files = []
    for number, (path, file) in enumerate(shards):
        name = f"{stem}-{number:05}-of-{len(shards):05}.jsonl"
        path.replace(made / name)
        files.append(msgspec.structs.replace(file, path=name))
    return files


def _joined(stem: str, shards: Sequence[tuple[Path, BucketFile]], made: Path) -> list[BucketFile]:
    (first, whole), *others = shards
    target = made / whole.path
    first.replace(target)
    with target.open("ab") as out:
        for path, file in others:
            starts = [(whole.bytes + at, whole.prompts + number, digest) for at, number, digest in file.starts]
            whole = BucketFile(
                whole.path,
                whole.bytes + file.bytes,
                whole.lines + file.lines,
                whole.prompts + file.prompts,
                whole.starts + starts,
            )
            with path.open("rb") as source:
                shutil.copyfileobj(source, out, PIECE)
            path.unlink()
    return [whole]
