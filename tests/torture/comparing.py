"""Whether a run left what the undisturbed one did: byte for byte, or by content where times of day are in it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TIMES = frozenset({"time", "seconds", "wall_s", "started", "ended"})
SHOWN = 4


def differences(made: Path, whole: Path, *, more: bool = False, but: str = "") -> list[str]:
    """What is not the same in two folders, in words, `but` a folder in them aside.

    With `more`, files that only the first has are no difference.
    """
    found = list(_differences(made, whole, more, but))
    return found if len(found) <= SHOWN else [*found[:SHOWN], f"and {len(found) - SHOWN} files more differ"]


def _differences(made: Path, whole: Path, more: bool, but: str) -> Iterator[str]:
    ours, theirs = (_files(folder, but) for folder in (made, whole))
    for name in sorted(theirs.keys() - ours.keys()):
        yield f"{name} is missing"
    for name in [] if more else sorted(ours.keys() - theirs.keys()):
        yield f"{name} is there, and not in the undisturbed run"
    for name in sorted(ours.keys() & theirs.keys()):
        if not same(ours[name], theirs[name]):
            yield f"{name} differs from the undisturbed run's"


def _files(folder: Path, but: str) -> dict[str, Path]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path for name, path in found.items() if not but or not name.startswith(f"{but}/")}


def same(one: Path, other: Path) -> bool:
    """Of two files; in JSON and JSON lines the times do not count."""
    left, right = one.read_bytes(), other.read_bytes()
    if left == right:
        return True
    if one.suffix not in (".json", ".jsonl"):
        return False
    return timeless(left) == timeless(right)


def timeless(content: bytes) -> Any:
    """The values of JSON lines, or of one JSON text, without what is a time; bytes that are no JSON as they are."""
    try:
        return without_times(json.loads(content))
    except ValueError:
        pass
    try:
        return [without_times(json.loads(line)) for line in content.splitlines()]
    except ValueError:
        return content


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value
