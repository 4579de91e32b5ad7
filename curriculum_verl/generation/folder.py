"""The output folder: whose it is, what of it is finished, and what of an unfinished run is kept."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from curriculum_verl.generation.job import Shard
from curriculum_verl.locks import lock
from curriculum_verl.rollouts.files import ENDINGS

STATE = ".generating"  # the folder of a run that is not finished
SETTINGS = "settings.json"
SHOWN = 5  # file names in a message


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files of one shard are."""

    folder: Path
    shard: Shard

    @property
    def rollouts(self) -> Path:
        """The rollouts, which bucketing reads."""
        return self.folder / f"rollouts{self.shard.suffix}.jsonl"

    @property
    def rejects(self) -> Path:
        """What could not be used; those of shards lie where bucketing does not take them for rollouts."""
        if self.shard.of == 1:
            return self.folder / "rejects.jsonl"
        return self.folder / "rejects" / f"rejects{self.shard.suffix}.jsonl"

    @property
    def manifest(self) -> Path:
        """What was done; written last."""
        return self.folder / f"generation{self.shard.suffix}.json"

    @property
    def state(self) -> Path:
        """The journals of a run that is not finished."""
        return self.folder / f"{STATE}{self.shard.suffix}"


def prepare(places: Places, settings: Mapping[str, Any], overwrite: bool) -> None:
    """Make the folder ready for a run of these settings, or say why it is not. The caller holds the shard's lock."""
    if not overwrite and (other := other_run(places, settings)) is not None:
        raise InputError(other)
    for path in _documents(places.folder):
        if overwrite and (path in (places.manifest, places.state / SETTINGS) or _not_like(path, settings)):
            _remove(path, places)
    _refuse_foreign(places)
    if places.manifest.exists():
        _check_files(places)
    if not (places.state / SETTINGS).exists():
        if places.state.exists():  # a kill while it was removed: nobody knows whose journals these are
            shutil.rmtree(places.state)
        places.state.mkdir()
        with replacing(places.state / SETTINGS) as file:
            file.write(document({"settings": settings}))


def other_run(places: Places, settings: Mapping[str, Any]) -> str | None:
    """What is said of a run with other settings in the folder: every difference."""
    for path in _documents(places.folder):
        if found := _not_like(path, settings):
            what = (
                f"{places.folder}: holds a run with other settings; choose another folder, take the same settings to "
                "go on with that run, or --overwrite it:"
            )
            return "\n  ".join([what, *found])
    return None


@contextmanager
def locked(places: Places) -> Iterator[None]:
    """One run at a time for each shard."""
    if places.folder.exists() and not places.folder.is_dir():
        raise InputError(f"{places.folder}: is a file, expected a folder to write to; choose another")
    refusal = f"{places.folder}: another run is writing there; wait for it to end"
    with lock(_lock(places.folder, places.shard.suffix), refusal):
        yield


def _lock(folder: Path, suffix: str) -> Path:
    return folder / f".generate{suffix}.lock"


def document(content: Any) -> bytes:
    """A file of JSON for people and programs."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def as_read(content: Any) -> dict[str, Any]:
    """What a document of this content will say."""
    return msgspec.json.decode(document(content), type=dict[str, Any])


def read_document(path: Path) -> dict[str, Any]:
    """A file that `document` made."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InputError(f"{path}: cannot be read: {error}; --overwrite begins anew") from error


def _documents(folder: Path) -> list[Path]:
    """What says with which settings things in the folder were made."""
    return sorted([*folder.glob("generation*.json"), *folder.glob(f"{STATE}*/{SETTINGS}")])


def _not_like(path: Path, settings: Mapping[str, Any]) -> list[str]:
    """What a document says that is not so for these settings."""
    try:
        found = read_document(path).get("settings")
    except InputError as error:
        return [str(error)]
    return differences(found if isinstance(found, dict) else {}, settings)


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Every setting that is not the same, in words."""
    old, new = dict(_flat(there)), dict(_flat(here))
    return [
        f"{name}: {_value(old, name)} there, {_value(new, name)} now"
        for name in {**old, **new}
        if (name in old, old.get(name)) != (name in new, new.get(name))
    ]


def _flat(found: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in found.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _value(found: Mapping[str, Any], name: str) -> str:
    return msgspec.json.encode(found[name]).decode() if name in found else "nothing"


def _remove(path: Path, places: Places) -> None:
    """Take away what a document describes, the document last."""
    if path.name == SETTINGS:
        suffix = path.parent.name.removeprefix(STATE)
        if suffix != places.shard.suffix:
            refusal = f"{places.folder}: another run is writing there; end it before you overwrite it"
            lock(_lock(places.folder, suffix), refusal).close()
        shutil.rmtree(path.parent)
        return
    for file in _files_in(path):
        (places.folder / file["path"]).unlink(missing_ok=True)
    path.unlink()


def _files_in(manifest: Path) -> list[dict[str, Any]]:
    """The files that a manifest describes; none if it cannot be read."""
    try:
        return [file for file in read_document(manifest).get("files", {}).values() if file]
    except InputError:
        return []


def _check_files(places: Places) -> None:
    """A finished run is left alone only if its files are there as it left them."""
    for file in _files_in(places.manifest):
        path = places.folder / file["path"]
        if not path.is_file() or path.stat().st_size != file["bytes"]:
            raise InputError(
                f"{path}: is not as the finished run left it, {file['bytes']:,} bytes; put it back, or --overwrite "
                "makes all anew"
            )


def _refuse_foreign(places: Places) -> None:
    """Files that bucketing would take for rollouts of this run."""
    of = places.shard.of
    own = {Places(places.folder, Shard(number, of)).rollouts.name for number in range(1, of + 1)}
    own.add(places.rejects.name)
    foreign = sorted(
        entry.name
        for entry in places.folder.iterdir()
        if entry.name not in own and not entry.name.startswith(".") and entry.name.endswith(tuple(ENDINGS))
    )
    if foreign:
        more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
        raise InputError(
            f"{places.folder}: holds {', '.join(foreign[:SHOWN])}{more}, which are none of this run's; "
            "choose a new or empty folder"
        )
