"""Which files hold rollouts, and how each is opened: plain or compressed JSON lines, or parquet."""

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from curriculum_verl.errors import InputError
from curriculum_verl.outputs import UNFINISHED

Kind = Literal["plain", "gzip", "zstd", "parquet"]

ENDINGS: dict[str, Kind] = {".jsonl": "plain", ".jsonl.gz": "gzip", ".jsonl.zst": "zstd", ".parquet": "parquet"}
# What the bucketing itself writes beside buckets: a bucket folder may be bucketed again.
NOT_ROLLOUTS = ("rejects.jsonl",)


def kind_of(path: Path) -> Kind:
    """How a file is read, by its ending; any other ending is taken for plain JSON lines."""
    endings: dict[str, Kind] = {".gz": "gzip", ".zst": "zstd", ".parquet": "parquet"}
    return endings.get(path.suffix, "plain")


def rollout_files(paths: Iterable[str | Path], what: str = "rollouts") -> list[Path]:
    """The files among the paths, in the folders and for the globs among them; sorted within each, none twice."""
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _files_of(path, what):
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _files_of(given: str | Path, what: str) -> list[Path]:
    path = Path(given)
    if path.is_file():
        return [path]
    if path.is_dir():
        if any(path.glob(f".*{UNFINISHED}")):
            raise InputError(f"{path}: was being replaced when a run was stopped; run that again with --overwrite")
        files = sorted(_in_folder(path))
        if files:
            return files
        patterns = [f"{glob.escape(str(path))}/**/*{ending}" for ending in ENDINGS]
        deeper = next((pattern for pattern in patterns if any(_matching(pattern))), None)
        hint = f"; there are some further down: '{deeper}'" if deeper else ""
        raise InputError(f"{path}: got no {what}, expected files that end in {', '.join(ENDINGS)}{hint}")
    files = list(_matching(str(given)))
    if not files:
        why = "no file matches" if glob.has_magic(str(given)) else "there is no such file or folder"
        raise InputError(f"{given}: got no {what}, {why}; expected a file, a folder or a glob in quotes")
    return files


def _in_folder(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        hidden = entry.name.startswith(".") or entry.name in NOT_ROLLOUTS
        if hidden or not entry.name.endswith(tuple(ENDINGS)):
            continue
        if entry.is_symlink() and not entry.exists():
            raise InputError(f"{entry}: is a link to {entry.readlink()}, which is not there; mend it or take it out")
        if entry.is_file():
            yield entry


def _matching(pattern: str) -> Iterator[Path]:
    """The files that match, and those in the folders that match, as a shell would have it."""
    for match in map(Path, sorted(glob.glob(pattern, recursive=True))):  # noqa: PTH207  pathlib takes no absolute one
        if match.is_dir():
            yield from sorted(_in_folder(match))
        elif match.is_file() and match.name not in NOT_ROLLOUTS:
            yield match
