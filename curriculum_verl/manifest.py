"""The manifest: which buckets the data has, easiest first, and how many prompts each."""

from pathlib import Path

import msgspec

from curriculum_verl.errors import InputError

VERSION = 1


class Bucket(msgspec.Struct, frozen=True):
    """One bucket of the data."""

    name: str
    prompts: int


class Manifest(msgspec.Struct, frozen=True):
    """What the engine needs to know of the data; `ids_hash` is over the prompt ids in order."""

    version: int
    buckets: list[Bucket]
    ids_hash: str

    @property
    def names(self) -> list[str]:
        """Bucket names, easiest first."""
        return [bucket.name for bucket in self.buckets]

    @property
    def sizes(self) -> dict[str, int]:
        """How many prompts each bucket has, easiest first."""
        return {bucket.name: bucket.prompts for bucket in self.buckets}


def read_manifest(path: str | Path) -> Manifest:
    """Read a manifest; every way in which it cannot be used is an InputError that says what to do."""
    try:
        manifest = msgspec.json.decode(Path(path).read_bytes(), type=Manifest)
    except OSError as error:
        raise InputError(
            f"{path}: the manifest cannot be read: {error.strerror}; run the preprocessing step first"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: not a manifest: {error}; run the preprocessing step again") from error
    if manifest.version != VERSION:
        raise InputError(
            f"{path}: got manifest version {manifest.version}, expected {VERSION}; run the preprocessing step again"
        )
    twice = sorted({name for name in manifest.names if manifest.names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: bucket {', '.join(twice)} stands twice, expected every name once")
    return manifest


def find_manifest(path: str | None) -> Manifest | None:
    """The manifest that a recipe names, if there is one yet."""
    return read_manifest(path) if path is not None and Path(path).is_file() else None
