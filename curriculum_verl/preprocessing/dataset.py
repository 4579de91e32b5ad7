"""A data set being written: its parquet files, what is known of its prompts, its rejects and, last, its manifest."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from curriculum_verl import __version__
from curriculum_verl.manifest import PROMPT, VERSION, Bucket, DataFile, Manifest, Parent, PromptsFile, file_hash
from curriculum_verl.preprocessing.convert import Part
from curriculum_verl.preprocessing.parquet import Sink, Written
from curriculum_verl.preprocessing.targets import Target
from curriculum_verl.rollouts.ids import IdsHash, joint_hash


class Rejected(msgspec.Struct, frozen=True):
    """A line of the rejects file."""

    file: str
    line: int
    reason: str
    message: str


class DataSet:
    """Takes the chunks of its buckets in order."""

    def __init__(self, target: Target, folder: Path, sink: Callable[[Path, str], Sink]):
        self.target = target
        self._folder = folder
        self._sink = sink
        self._sinks: dict[str, dict[str, Sink]] = {"train": {}, "val": {}}
        self._hashes = {bucket: IdsHash() for bucket in target.buckets}
        self._prompts: list[NDArray[np.void]] = []
        self._rows: dict[str, Counter[str]] = {"train": Counter(), "val": Counter()}
        self._removed: Counter[str] = Counter()

    def add(self, bucket: str, part: Part, rejects: Sequence[Rejected]) -> None:
        """Take a chunk of a bucket."""
        for side, rows in (("train", part.train), ("val", part.validation)):
            stem = self.target.stem(bucket, side)
            sinks = self._sinks[side]
            if stem not in sinks:
                sinks[stem] = self._sink(self._folder, stem)
            sinks[stem].add(bucket, rows)
            self._rows[side][bucket] += rows.rows
        self._hashes[bucket].update(part.train.keys)
        self._prompts.append(part.train.prompts)
        self._removed += part.removed
        if rejects:
            with (self._folder / self.target.rejects).open("ab") as file:
                file.writelines(msgspec.json.encode(reject) + b"\n" for reject in rejects)

    def finish(self, settings: dict[str, Any], parent: Parent) -> Manifest:
        """Close all files and write the manifest that describes them."""
        written = {
            side: [file for sink in sinks.values() for file in sink.finish()] for side, sinks in self._sinks.items()
        }
        prompts = self._folder / self.target.prompts
        with prompts.open("wb") as file:
            only_write = SimpleNamespace(write=file.write)  # of a file NumPy would not say that the disk is full
            np.save(only_write, np.concatenate([np.empty(0, PROMPT), *self._prompts]))
        buckets = [self._bucket(name, written) for name in self.target.buckets]
        manifest = Manifest(
            version=VERSION,
            buckets=buckets,
            ids_hash=joint_hash(bucket.ids_hash for bucket in buckets),
            package=__version__,
            files=[self._file(file) for files in written.values() for file in files],
            prompts=PromptsFile(prompts.name, file_hash(prompts)),
            settings=settings,
            removed=dict(self._removed),
            parent=parent,
        )
        document = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        (self._folder / self.target.manifest).write_bytes(document + b"\n")
        return manifest

    def _bucket(self, name: str, written: dict[str, list[Written]]) -> Bucket:
        train, validation = ([file.name for file in written[side] if name in file.buckets] for side in ("train", "val"))
        return Bucket(
            name=name,
            prompts=self._rows["train"][name],
            validation_prompts=self._rows["val"][name],
            train=train,
            validation=validation,
            ids_hash=str(self._hashes[name]),
        )

    def _file(self, file: Written) -> DataFile:
        path = self._folder / file.name
        return DataFile(file.name, file.rows, path.stat().st_size, file_hash(path))
