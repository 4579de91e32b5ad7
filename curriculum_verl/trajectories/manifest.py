"""The manifest of scored trajectories: that of a bucket folder, with scores and factors in place of what was solved."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from curriculum_verl.bucketing.manifest import NAME, BucketFile, Source, check_sizes
from curriculum_verl.errors import InputError
from curriculum_verl.manifest import manifest_kind

VERSION = 1
KIND = "trajectories"
BESIDE = ("rejects.jsonl", "report.png")  # what else a run writes


class Bucket(msgspec.Struct, frozen=True):
    """A bucket; `factors` are the means of its trajectories. A file that all share is named by every bucket."""

    name: str
    prompts: int
    files: list[BucketFile]
    ids_hash: str
    score_min: float
    score_max: float
    score_mean: float
    factors: dict[str, float]
    traps: int


class TrajectoryManifest(msgspec.Struct, frozen=True, kw_only=True):
    """All of a folder: buckets easiest first, cuts on the score, `ids_hash` over all buckets."""

    kind: Literal["trajectories"] = "trajectories"
    version: int = VERSION
    package: str
    mode: Literal["quantiles", "thresholds"]
    cuts: list[float]
    buckets: list[Bucket]
    lines: int
    blank: int
    rejected: dict[str, int]  # reason -> lines
    inputs: list[Source]
    settings: dict[str, Any]
    ids_hash: str


def read_trajectory_manifest(folder: Path) -> TrajectoryManifest:
    """The manifest of a folder; without one, or where files are not as it says, the folder cannot be used."""
    path = folder / NAME
    again = "run score_trajectory_difficulty.py again"
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=TrajectoryManifest)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected scored trajectories; {again}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not the manifest of scored trajectories: {error}; {again}") from error
    if manifest.version != VERSION:
        raise InputError(f"{path}: got version {manifest.version}, expected {VERSION}; {again}")
    check_sizes(folder, (file for bucket in manifest.buckets for file in bucket.files), again)
    return manifest


def refuse_other(folder: Path) -> None:
    """An error if the folder has a manifest of another kind, which must not be replaced."""
    kind = manifest_kind(folder / NAME)
    if kind not in (None, KIND):
        raise InputError(f"-o {folder}: holds a manifest of kind {kind!r}; choose another folder")
