"""Saved state: JSON with a version, large arrays in a sibling file that the JSON names and hashes."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from curriculum_verl.atomic import replacing
from curriculum_verl.curriculum.config import AllOf, AnyOf, CurriculumConfig
from curriculum_verl.errors import StateError, unknown_name

VERSION = 1
_ARRAY = "__array__"


def write_state(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write arrays first, then the JSON that names them, then remove the arrays of the state before.

    Killed at any moment, the path holds the old state or the new one, with its arrays.
    """
    path = Path(path)
    arrays: dict[str, NDArray[Any]] = {}
    document = {"version": VERSION, "arrays": None, "state": _without_arrays(state, "", arrays)}
    kept = None
    if arrays:
        unnamed = path.with_name(f"{path.stem}.npz")
        with replacing(unnamed) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        digest = _digest(unnamed)
        kept = unnamed.replace(path.with_name(f"{path.stem}.{digest[:16]}.npz"))
        document["arrays"] = {"file": kept.name, "blake2b": digest}
    try:
        content = msgspec.json.encode(document)
    except (TypeError, ValueError) as error:
        raise StateError(
            f"{path}: the state cannot be written as JSON: {error}; a policy's state may hold plain values "
            "and NumPy arrays"
        ) from error
    with replacing(path) as file:
        file.write(content)
    for other in path.parent.glob(f"{path.stem}.*.npz"):
        if other != kept:
            other.unlink(missing_ok=True)


def read_state(path: str | Path) -> dict[str, Any]:
    """Read what write_state wrote; a file that is damaged, incomplete or of another version is refused."""
    path = Path(path)
    try:
        document = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise StateError(f"{path}: the curriculum's state cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise StateError(f"{path}: not a curriculum state: {error}; resume from an earlier checkpoint") from error
    if not isinstance(document, dict) or not {"version", "arrays", "state"} <= document.keys():
        raise StateError(f"{path}: not a curriculum state; expected the keys version, arrays and state")
    if document["version"] != VERSION:
        raise StateError(
            f"{path}: got state version {document['version']}, expected {VERSION}; "
            "resume with the package version that wrote it"
        )
    named = document["arrays"]
    arrays = {} if named is None else _read_arrays(path.with_name(named["file"]), named["blake2b"])
    state: dict[str, Any] = _with_arrays(document["state"], arrays)
    return state


def _read_arrays(path: Path, expected: str) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise StateError(f"{path}: is missing, but the state beside it names it; copy both files together")
    if _digest(path) != expected:
        raise StateError(f"{path}: does not match the hash in the state beside it; resume from an earlier checkpoint")
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _without_arrays(value: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """The value with every array moved to `arrays`, under its path."""
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {_ARRAY: path}
    if isinstance(value, Mapping):
        return {key: _without_arrays(item, f"{path}.{key}".lstrip("."), arrays) for key, item in value.items()}
    return value


def _with_arrays(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(value, dict):
        return (
            arrays[value[_ARRAY]]
            if _ARRAY in value
            else {key: _with_arrays(item, arrays) for key, item in value.items()}
        )
    return value


def config_state(config: Any) -> Any:
    """A config as plain values, for comparison; where the data lies does not matter, only what it is."""
    if isinstance(config, AnyOf | AllOf):
        return {"any" if isinstance(config, AnyOf) else "all": [config_state(member) for member in config.members]}
    if is_dataclass(config):
        skip = "data" if isinstance(config, CurriculumConfig) else ""
        return {f.name: config_state(getattr(config, f.name)) for f in fields(config) if f.name != skip}
    if isinstance(config, Mapping):
        return {key: config_state(value) for key, value in config.items()}
    return [config_state(item) for item in config] if isinstance(config, tuple | list) else config


def check_fits(saved: Mapping[str, Any], present: Mapping[str, Any], *, force: bool) -> list[str]:
    """How data and config differ from those of the saved state; refused unless forced."""
    found = [
        *_differences(saved["data"], present["data"], "data"),
        *(
            difference
            for key in present["config"]
            for difference in _differences(saved["config"].get(key), present["config"][key], key)
        ),
    ]
    if found and not force:
        lines = "\n".join(f"  - {difference}" for difference in found)
        raise StateError(
            f"the saved state belongs to another run:\n{lines}\n"
            "use the data and config of that run, or force the resume to take over the stage and what still fits"
        )
    return found


def _differences(saved: Any, present: Any, path: str) -> Iterator[str]:
    if isinstance(saved, Mapping) and isinstance(present, Mapping):
        for key in sorted(saved.keys() | present.keys()):
            yield from _differences(saved.get(key), present.get(key), f"{path}.{key}")
    elif isinstance(saved, list) and isinstance(present, list) and len(saved) == len(present):
        for number, pair in enumerate(zip(saved, present, strict=True)):
            yield from _differences(*pair, f"{path}[{number}]")
    elif saved != present:
        yield f"{path}: saved {saved!r}, now {present!r}"


def renamed_stages(state: Mapping[str, Any], config: CurriculumConfig) -> dict[str, Any]:
    """The saved manager's state moved onto another list of stages, by name; the conditions start without history."""
    saved = [stage["name"] for stage in state["config"]["stages"]]
    names = [stage.name for stage in config.stages]
    current = saved[state["manager"]["stage"]]
    if current not in names:
        raise StateError(f"the saved run is in a stage that no longer exists: {unknown_name('stage', current, names)}")
    failures = dict(zip(saved, state["manager"]["failures"], strict=True))
    return {
        **state["manager"],
        "stage": names.index(current),
        "failures": [failures.get(name, 0) for name in names],
        "trial": None,
        "exit_met": None,
        "end": None,
    }
