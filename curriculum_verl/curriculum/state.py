"""Saved state: JSON with a version, large arrays in a sibling file that the JSON names and hashes."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from inspect import signature
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from curriculum_verl.atomic import replacing
from curriculum_verl.curriculum.config import AllOf, AnyOf, CurriculumConfig, PolicyConfig
from curriculum_verl.curriculum.policies import find_policy
from curriculum_verl.errors import StateError, unknown_name

VERSION = 1
# Where the data lies, what is only reported or written; a webhook's address is often a secret besides.
MAY_CHANGE = ("data", "forgetting_alarm", "checkpoint_stages", "alerts", "webhook")
_ARRAY = "__array__"


def write_state(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write the arrays into the one of two files that the present JSON does not name, then the JSON that names it.

    Killed at any moment, the path holds the old state or the new one, with its arrays.
    """
    path = Path(path)
    arrays: dict[str, NDArray[Any]] = {}
    try:  # what cannot be written is refused before anything is
        document = _Document(VERSION, None, _without_arrays(state, "", arrays))
        msgspec.json.encode(document)
    except (TypeError, ValueError) as error:
        expected = "a policy's state may hold plain values and NumPy arrays"
        raise StateError(f"{path}: the state cannot be written as JSON: {error}; {expected}") from error
    used, free = _array_files(path)
    if arrays:
        with replacing(free) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        document.arrays = _Arrays(free.name, _digest(free))
    with replacing(path) as file:
        file.write(msgspec.json.encode(document))
    used.unlink(missing_ok=True)


def _array_files(path: Path) -> tuple[Path, Path]:
    """The array file that the JSON at this path names, and the one that it does not."""
    first, second = (path.with_name(f"{path.name}.{slot}.npz") for slot in (0, 1))
    try:
        present = _read_document(path).arrays
    except StateError:
        present = None
    return (second, first) if present is not None and present.file == second.name else (first, second)


class _Arrays(msgspec.Struct):
    file: Annotated[str, msgspec.Meta(pattern=r"^[^/\\]+$")]
    blake2b: str


class _Document(msgspec.Struct):
    version: int
    arrays: _Arrays | None
    state: dict[str, Any]


def read_state(path: str | Path) -> dict[str, Any]:
    """Read what write_state wrote; a file that is damaged, incomplete or of another version is refused."""
    path = Path(path)
    document = _read_document(path)
    if document.version != VERSION:
        raise StateError(
            f"{path}: got state version {document.version}, expected {VERSION}; "
            "resume with the package version that wrote it"
        )
    named = document.arrays
    arrays = {} if named is None else _read_arrays(path.with_name(named.file), named.blake2b)
    try:
        state: dict[str, Any] = _with_arrays(document.state, arrays)
    except RecursionError as error:
        raise StateError(f"{path}: not a curriculum state: {error}; resume from an earlier checkpoint") from error
    except (KeyError, TypeError) as error:
        raise StateError(f"{path}: names an array that is not beside it ({error}); resume from another one") from error
    return state


def _read_document(path: Path) -> _Document:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Document)
    except OSError as error:
        raise StateError(f"{path}: the curriculum's state cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise StateError(f"{path}: not a curriculum state: {error}; resume from an earlier checkpoint") from error


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
    """The value with every array moved to `arrays`, under its path; what JSON would change is a ValueError."""
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {_ARRAY: path}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"{path}: got the key {key!r}, expected text")
        return {key: _without_arrays(item, f"{path}.{key}".lstrip("."), arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [
            item if _is_plain(item) else _without_arrays(item, f"{path}[{number}]", arrays)
            for number, item in enumerate(value)  # histories are long: a path for each of their values would be slow
        ]
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{path}: got {value}, expected a finite number")
    return value


def _is_plain(value: Any) -> bool:
    return type(value) is int or (type(value) is float and isfinite(value))


def _with_arrays(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(value, dict):
        return (
            arrays[value[_ARRAY]]
            if _ARRAY in value
            else {key: _with_arrays(item, arrays) for key, item in value.items()}
        )
    return [_with_arrays(item, arrays) for item in value] if isinstance(value, list) else value


def config_state(config: Any) -> Any:
    """A config as plain values, for comparison, without what may change from one start of a run to the next."""
    if isinstance(config, AnyOf | AllOf):
        return {"any" if isinstance(config, AnyOf) else "all": [config_state(member) for member in config.members]}
    if isinstance(config, PolicyConfig):
        return _policy_state(config.name, config.parameters)
    if is_dataclass(config):
        skip = MAY_CHANGE if isinstance(config, CurriculumConfig) else ()
        return {f.name: config_state(getattr(config, f.name)) for f in fields(config) if f.name not in skip}
    if isinstance(config, Mapping):
        return {key: config_state(value) for key, value in config.items()}
    return [config_state(item) for item in config] if isinstance(config, tuple | list) else config


def _policy_state(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A policy with the parameters that nobody gave at their defaults, but those that JSON cannot hold."""
    known = signature(find_policy(name)).parameters.values()
    defaults = {p.name: config_state(p.default) for p in known if p.default is not p.empty}
    kept = {key: value for key, value in defaults.items() if _comes_back(value)}
    return {"name": name, "parameters": kept | config_state(parameters)}


def _comes_back(value: Any) -> bool:
    try:
        return bool(msgspec.json.decode(msgspec.json.encode(value)) == value)
    except (TypeError, ValueError):
        return False


def check_fits(saved: Mapping[str, Any], present: Mapping[str, Any], *, force: bool) -> list[str]:
    """How data and config differ from those of the saved state; refused unless forced."""
    # A key that the saved config does not have yet was at its default; of the data it is taken to be equal.
    config = config_state(CurriculumConfig(stages=())) | saved["config"]
    if config["policy"]["name"] == present["config"]["policy"]["name"]:  # likewise of a policy's parameters
        config["policy"] = _policy_state(**config["policy"])
    found = list(_differences(present["data"] | saved["data"], present["data"], "data"))
    for key in present["config"]:
        found += _differences(config[key], present["config"][key], key)
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


def moved_to(state: Mapping[str, Any], config: CurriculumConfig) -> dict[str, Any]:
    """The saved manager's state moved onto other stages, by name; what is pending and the conditions start anew."""
    saved = [stage["name"] for stage in state["config"]["stages"]]
    names = [stage.name for stage in config.stages]
    current = saved[state["manager"]["stage"]]
    if current not in names:
        raise StateError(f"the saved run is in a stage that no longer exists: {unknown_name('stage', current, names)}")
    failures = dict(zip(saved, state["manager"]["failures"], strict=True))
    before = config.stages[: names.index(current)]
    taught = {bucket for stage in before for bucket, share in stage.mix.items() if share > 0}
    return {
        **state["manager"],
        "stage": names.index(current),
        "failures": [failures.get(name, 0) for name in names],
        "replay": {bucket: more for bucket, more in state["manager"]["replay"].items() if bucket in taught},
        "pending": None,
        "asked": False,
        "stop": None,
        "end": None,
    }
