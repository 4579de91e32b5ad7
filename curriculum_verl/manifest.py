"""The manifest of the data: buckets, easiest first, their files, and a side file of what is known of every prompt."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from curriculum_verl.errors import InputError

VERSION = 1
KIND = "data"
AGAIN = "run the preprocessing step again"
PROMPT = np.dtype([("difficulty", "<f4"), ("pass_rate", "<f2")])  # a row of the side file, one for each training prompt
BLOCK = 1 << 20


class Bucket(msgspec.Struct, frozen=True):
    """One bucket of the data; `prompts` are those for training, `ids_hash` is over their keys in order.

    Files are those that hold its rows, in order; a combined file is named by every bucket that is in it.
    """

    name: str
    prompts: int
    validation_prompts: int = 0
    train: list[str] = []
    validation: list[str] = []
    ids_hash: str = ""


class DataFile(msgspec.Struct, frozen=True):
    """A parquet file, relative to the manifest; `hash` is the XXH3-128 of its bytes."""

    path: str
    rows: int
    bytes: int
    hash: str


class PromptsFile(msgspec.Struct, frozen=True):
    """The side file: a .npy array of PROMPT, in the order of the training rows, all buckets one after the other."""

    path: str
    hash: str


class Parent(msgspec.Struct, frozen=True):
    """The bucket folder that the data was made of."""

    path: str
    ids_hash: str
    metric: dict[str, Any]


class Manifest(msgspec.Struct, frozen=True):
    """What the engine needs to know of the data; `ids_hash` is over the training prompts in order.

    One that was written by hand needs no more than version, buckets and ids_hash.
    """

    version: int
    buckets: list[Bucket]
    ids_hash: str
    kind: str = KIND
    package: str = ""
    files: list[DataFile] = []
    prompts: PromptsFile | None = None
    settings: dict[str, Any] = {}
    removed: dict[str, int] = {}
    parent: Parent | None = None

    @property
    def files_hash(self) -> str:
        """The XXH3-128 over names and hashes of all files, those of validation too; empty where none are listed.

        It follows every text and answer, which `ids_hash` does not.
        """
        listed = "".join(f"{file.path} {file.hash}\n" for file in self.files)
        return f"xxh3-128:{xxhash.xxh3_128_hexdigest(listed.encode())}" if listed else ""

    @property
    def names(self) -> list[str]:
        """Bucket names, easiest first."""
        return [bucket.name for bucket in self.buckets]

    @property
    def sizes(self) -> dict[str, int]:
        """How many prompts each bucket has, easiest first."""
        return {bucket.name: bucket.prompts for bucket in self.buckets}

    @property
    def train_files(self) -> list[str]:
        """The training files in the order of the prompts, none twice."""
        return list(dict.fromkeys(name for bucket in self.buckets for name in bucket.train))

    @property
    def validation_files(self) -> list[str]:
        """The validation files, easiest bucket first, none twice."""
        return list(dict.fromkeys(name for bucket in self.buckets for name in bucket.validation))


def read_manifest(path: str | Path) -> Manifest:
    """Read a manifest; every way in which it cannot be used is an InputError that says what to do."""
    try:
        content = Path(path).read_bytes()
        if _kind(content) == "buckets":
            raise InputError(
                f"{path}: got the manifest of a bucket folder, expected that of the data; "
                "run the preprocessing step on that folder, and name the manifest that it writes"
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except OSError as error:
        raise InputError(
            f"{path}: the manifest cannot be read: {error.strerror}; run the preprocessing step first"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a manifest: {error}; {AGAIN}") from error
    if manifest.version != VERSION:
        raise InputError(f"{path}: got manifest version {manifest.version}, expected {VERSION}; {AGAIN}")
    if manifest.kind != KIND:
        raise InputError(f"{path}: got a manifest of kind {manifest.kind!r}, expected {KIND!r}; {AGAIN}")
    twice = sorted({name for name in manifest.names if manifest.names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: bucket {', '.join(twice)} stands twice, expected every name once")
    return manifest


def find_manifest(path: str | None) -> Manifest | None:
    """The manifest that a recipe names, if there is one yet."""
    return read_manifest(path) if path is not None and Path(path).is_file() else None


def manifest_kind(path: Path) -> str | None:
    """What kind of manifest stands there, if there is one that says so."""
    return _kind(path.read_bytes()) if path.is_file() else None


class _Kind(msgspec.Struct):
    kind: str | None = None


def _kind(content: bytes) -> str | None:
    try:
        return msgspec.json.decode(content, type=_Kind).kind
    except (ValueError, RecursionError):
        return None


def read_prompts(manifest: Manifest, folder: Path) -> NDArray[np.void] | None:
    """The side file of the data, one row for each training prompt; None if the manifest names none."""
    if manifest.prompts is None:
        return None
    path = folder / manifest.prompts.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the manifest names it, but it cannot be read: {error.strerror}; {AGAIN}") from error
    found = f"xxh3-128:{xxhash.xxh3_128_hexdigest(content)}"
    if found != manifest.prompts.hash:
        raise InputError(f"{path}: got a file with hash {found}, the manifest says {manifest.prompts.hash}; {AGAIN}")
    try:
        prompts: NDArray[np.void] = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: is not a .npy file: {error}; {AGAIN}") from error
    total = sum(manifest.sizes.values())
    if prompts.dtype != PROMPT or prompts.shape != (total,):
        got = f"{prompts.shape} rows of {prompts.dtype}"
        raise InputError(f"{path}: got {got}, expected ({total},) of {PROMPT}, one for each training prompt; {AGAIN}")
    return prompts


def check_files(manifest: Manifest, folder: Path, *, hashes: bool = False) -> None:
    """Compare the files with the manifest: sizes, and hashes if that is asked for; all that differ are named."""
    problems = [problem for file in manifest.files for problem in _differences(file, folder / file.path, hashes)]
    if manifest.prompts is not None and size_of(folder / manifest.prompts.path) is None:
        problems.append(f"{folder / manifest.prompts.path}: there is no such file")
    if problems:
        raise InputError("\n  ".join([f"{folder}: the files are not those of the manifest; {AGAIN}", *problems]))


def size_of(path: Path) -> int | None:
    """The bytes of a file; None if there is none, as with a name that no file can have."""
    try:
        return path.stat().st_size if path.is_file() else None
    except (OSError, ValueError):
        return None


def _differences(file: DataFile, path: Path, hashes: bool) -> Iterator[str]:
    size = size_of(path)
    if size is None:
        yield f"{path}: there is no such file"
    elif size != file.bytes:
        yield f"{path}: got {size:,} bytes, the manifest says {file.bytes:,}"
    elif hashes and (found := file_hash(path)) != file.hash:
        yield f"{path}: got hash {found}, the manifest says {file.hash}"


def file_hash(path: Path) -> str:
    """The XXH3-128 of a file's bytes."""
    whole = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            whole.update(block)
    return f"xxh3-128:{whole.hexdigest()}"
