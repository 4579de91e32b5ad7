"""Folders of output: all is made aside, then put in place with the manifest last, so that nothing is half there."""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from curriculum_verl.errors import InputError

SHOWN = 5  # file names in a message
UNFINISHED = ".unfinished"


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """A folder of one's own on the disk of the target, beside it; it is gone afterwards, whatever happens.

    What a killed run left there is removed; while another run lives, this is an error.
    """
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: is a file, expected a folder to write to; choose another")
    folder = _work_path(target)
    new = [parent for parent in folder.parents if not parent.exists()]
    try:
        with _locked(folder, target):
            yield folder
    finally:
        for parent in new:
            with suppress(OSError):  # it holds the target by now, or somebody else's files
                parent.rmdir()


def _work_path(target: Path) -> Path:
    """Beside the target, or in it where that is a disk of its own or nothing may be written beside it."""
    place = target.resolve()
    inside = place.is_dir() and (place.is_mount() or not os.access(place.parent, os.W_OK))
    return (place if inside else place.parent) / f".{place.name}.partial"


@contextmanager
def _locked(folder: Path, target: Path) -> Iterator[None]:
    """Makes the folder and removes it; while it is there, it is locked."""
    lock = folder / "lock"
    with _acquired(lock, target):
        try:
            _clear(folder, lock)
            yield
        finally:
            with suppress(OSError):
                _clear(folder, lock)
                lock.unlink()  # last: from now on another run may use the folder
                folder.rmdir()


def _acquired(lock: Path, target: Path) -> TextIO:
    """The lock, held until it is closed."""
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack, suppress(FileNotFoundError):  # another run has just cleaned up: once more
            found = list(lock.parent.iterdir())  # at one look: another run may be about to make its lock
            if found and lock not in found:
                raise InputError(f"{lock.parent}: holds files that no run of ours left there; move them elsewhere")
            file = stack.enter_context(lock.open("w"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"{target}: another run is writing there; wait for it to end, or choose another folder"
                ) from None
            except OSError as error:
                lock.unlink()
                lock.parent.rmdir()
                raise InputError(
                    f"{target}: that file system cannot lock files ({error.strerror}); write to one that can"
                ) from error
            if lock.stat().st_ino == os.fstat(file.fileno()).st_ino:
                stack.pop_all()
                return file


def _clear(folder: Path, lock: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry != lock:
            entry.unlink()


def refuse_used(target: Path, overwrite: bool) -> None:
    """An error if the target folder holds anything, unless that may be replaced."""
    own = _work_path(target).name  # of a killed run
    names = sorted(entry.name for entry in target.iterdir() if entry.name != own) if target.is_dir() else []
    if names and not overwrite:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise InputError(
            f"{target}: holds {', '.join(names[:SHOWN])}{more}; expected a new or empty folder: choose another, or "
            "--overwrite, which replaces what this command writes and leaves all else alone"
        )


def publish(made: Path, target: Path, manifest: str | Sequence[str], outdated: Iterable[str] = ()) -> None:
    """Put all files of a folder in place, the manifest last; while files of an older run change, no manifest stands.

    Of several manifests, each describes files of its own.
    """
    target = target.resolve()
    in_the_way = [entry.name for entry in made.iterdir() if (target / entry.name).is_dir()]
    if in_the_way:
        raise InputError(f"{target}: holds a folder named {in_the_way[0]}, where a file is to stand; move it away")
    if not target.exists():  # a folder that is there stays, with its rights: someone may stand in it
        target.parent.mkdir(parents=True, exist_ok=True)
        made.replace(target)
        return
    manifests = [manifest] if isinstance(manifest, str) else list(manifest)
    names = sorted(entry.name for entry in made.iterdir() if entry.name not in manifests)
    for name in manifests:  # the old one stays in sight under another name: it knows what is to be removed
        if (target / name).exists():
            (target / name).replace(target / unfinished(name))
        else:
            (target / unfinished(name)).touch()
    for name in set(outdated) - set(names) - set(manifests):
        (target / name).unlink(missing_ok=True)
    for name in [*names, *manifests]:
        (made / name).replace(target / name)
    for name in manifests:
        (target / unfinished(name)).unlink()


def unfinished(manifest: str) -> str:
    """What stands beside a manifest's files while they are replaced: the manifest of before, or an empty file."""
    return f".{manifest}{UNFINISHED}"
