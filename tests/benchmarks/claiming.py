"""A folder to work in alone, though others may have been started beside."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def claimed(place: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether a folder is this process's to work in, and not that of another one that was started beside it."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
