"""The manifest of a bucket folder: what went in, how it was cut, what came out; it stands there last."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from curriculum_verl.difficulty import Direction
from curriculum_verl.errors import InputError
from curriculum_verl.manifest import size_of
from curriculum_verl.outputs import unfinished
from curriculum_verl.rollouts.fields import ROLES

VERSION = 1
NAME = "manifest.json"
BESIDE = ("rejects.jsonl", "report.html", "report.png")  # what else a run writes


class MetricUsed(msgspec.Struct, frozen=True):
    """How difficulty was measured."""

    name: str
    direction: Direction
    pass_threshold: float
    k: int
    tie_break: str | None = None


class Source(msgspec.Struct, frozen=True):
    """A file that was read."""

    path: str
    bytes: int
    hash: str
    kind: str  # plain, gzip, zstd or parquet
    formats: dict[str, int]  # lines of each format that was found in it
    lines: int
    blank: int
    rejected: int


class BucketFile(msgspec.Struct, frozen=True):
    """A file of a bucket, in parts of about a block of input.

    `starts` says of each the byte and the prompt at which it starts, and the hash of its bytes.
    """

    path: str
    bytes: int
    lines: int
    prompts: int
    starts: list[tuple[int, int, str]]


class Bucket(msgspec.Struct, frozen=True):
    """A bucket; `ids_hash` is over the keys of its prompts in order."""

    name: str
    prompts: int
    lines: int
    files: list[BucketFile]
    ids_hash: str
    metric_min: float
    metric_max: float
    mean_score: float
    pass_rate: float
    never_solved: float
    always_solved: float


class BucketManifest(msgspec.Struct, frozen=True, kw_only=True):
    """All of a bucket folder: buckets easiest first, cuts on the metric's own axis, `ids_hash` over all buckets."""

    kind: Literal["buckets"] = "buckets"
    version: int = VERSION
    package: str
    metric: MetricUsed
    mode: Literal["quantiles", "thresholds"]
    cuts: list[tuple[float, ...]]
    buckets: list[Bucket]
    lines: int
    blank: int
    rejected: dict[str, int]  # reason -> lines
    inputs: list[Source]
    fields: dict[str, tuple[str, ...]]
    ids_hash: str


def read_bucket_manifest(folder: Path) -> BucketManifest:
    """The manifest of a bucket folder; without one, or where files are not as it says, the folder cannot be used."""
    path = folder / NAME
    again = "run bucket_rollouts_by_difficulty.py again"
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=BucketManifest)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); expected a folder that bucket_rollouts_by_difficulty.py has "
            "finished: the manifest is the last file that it writes"
        ) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not the manifest of a bucket folder: {error}; {again}") from error
    if missing := [role for role in ROLES if not manifest.fields.get(role)]:
        raise InputError(f"{path}: says nothing of the fields for {', '.join(missing)}; {again}")
    if manifest.version != VERSION:
        raise InputError(f"{path}: got version {manifest.version}, expected {VERSION}; {again}")
    check_sizes(folder, (file for bucket in manifest.buckets for file in bucket.files), again)
    return manifest


def check_sizes(folder: Path, files: Iterable[BucketFile], again: str) -> None:
    """An error if a file is not there or not as long as its manifest says."""
    for file in files:
        found = size_of(folder / file.path)
        if found != file.bytes:
            got = "there is no such file" if found is None else f"got {found:,} bytes"
            raise InputError(f"{folder / file.path}: {got}, the manifest says {file.bytes:,}; {again}")


def outdated_files(folder: Path, kind: type[Any] = BucketManifest, beside: Sequence[str] = BESIDE) -> list[str]:
    """The files of an earlier run in a folder, as far as its manifest, of this kind, can be read."""
    names: list[str] = []
    for path in (folder / NAME, folder / unfinished(NAME)):
        try:
            manifest: Any = msgspec.json.decode(path.read_bytes(), type=kind)
        except (OSError, msgspec.DecodeError, RecursionError):
            continue
        names += [file.path for bucket in manifest.buckets for file in bucket.files] + [*beside]
    return [name for name in names if Path(name).name == name]
