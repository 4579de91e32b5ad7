"""Parquet files: one for every bucket or combination, or as many parts as there were tasks on other machines."""

import os
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curriculum_verl.manifest import PROMPT
from curriculum_verl.preprocessing.rows import SCHEMA

COMPRESSION = "zstd"
Keys = NDArray[np.uint64]


@dataclass(slots=True)
class Side:
    """Rows of one side of the split, as a table or as the file in which they stand, with what the manifest needs."""

    rows: int = 0
    keys: Keys = field(default_factory=lambda: np.empty(0, np.uint64))
    prompts: NDArray[np.void] = field(default_factory=lambda: np.empty(0, PROMPT))
    table: pa.Table | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written, and the buckets whose rows are in it."""

    name: str
    rows: int
    buckets: frozenset[str]


class Sink(Protocol):
    """Takes the rows of one side of one bucket or combination, in order."""

    def add(self, bucket: str, side: Side) -> None:
        """Take the rows of a chunk."""

    def finish(self) -> list[Written]:
        """The files that hold them; none if there were no rows."""


class _Writer(pq.ParquetWriter):  # type: ignore[misc]
    """One that is forgotten without having been closed writes nothing more: a full disk has said so before."""

    def __del__(self) -> None:
        pass


class OneFile:
    """All rows in one file, written here."""

    def __init__(self, folder: Path, stem: str):
        self._path = folder / f"{stem}.parquet"
        self._writer: _Writer | None = None
        self._rows = 0
        self._buckets: set[str] = set()

    def add(self, bucket: str, side: Side) -> None:
        """Take the rows of a chunk."""
        if not side.rows:
            return
        if self._writer is None:
            self._writer = _Writer(self._path, SCHEMA, compression=COMPRESSION)
        self._writer.write_table(side.table)
        self._rows += side.rows
        self._buckets.add(bucket)

    def finish(self) -> list[Written]:
        """The file, complete."""
        if self._writer is None:
            return []
        self._writer.close()
        return [Written(self._path.name, self._rows, frozenset(self._buckets))]


class PartFiles:
    """Files that the tasks wrote to shared storage, under their final names."""

    def __init__(self, folder: Path, stem: str):
        self._folder = folder
        self._stem = stem
        self._parts: list[tuple[Path, str, int]] = []

    def add(self, bucket: str, side: Side) -> None:
        """Take the file of a chunk."""
        if side.path is not None:
            self._parts.append((side.path, bucket, side.rows))

    def finish(self) -> list[Written]:
        """The files; each keeps its first name too, since another combination may hold the same rows."""
        written = []
        for number, (part, bucket, rows) in enumerate(self._parts):
            path = self._folder / f"{self._stem}-{number:05d}-of-{len(self._parts):05d}.parquet"
            _link(part, path)
            written.append(Written(path.name, rows, frozenset([bucket])))
        return written


def write_part(path: Path, table: pa.Table) -> None:
    """A file that appears complete, even while another try of the same task writes it too."""
    own = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        pq.write_table(table, own, compression=COMPRESSION)
        own.replace(path)
    finally:
        own.unlink(missing_ok=True)


def _link(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except OSError:  # some file systems have no second names
        shutil.copyfile(part, path)
