"""One run at a time in a folder, by a lock that ends with its process."""

import fcntl
import logging
import os
from pathlib import Path
from typing import TextIO
from weakref import WeakSet

from curriculum_verl.errors import InputError

logger = logging.getLogger(__name__)

LOCK = ".lock"  # in the folder of a run that trains

_held: WeakSet[TextIO] = WeakSet()


def lock(path: Path, refusal: str) -> TextIO:
    """The file, locked until it is closed or the process ends; an InputError of these words if another run holds it.

    Where the file system cannot lock, this is said and the run goes on.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise InputError(refusal) from None
    except OSError as error:
        what = f"that file system cannot lock files ({error.strerror})"
        logger.warning("%s: %s: nothing keeps a second run out", path.parent, what)
    _held.add(file)
    return file


def _let_go() -> None:
    """A forked process shares its parent's locks and would keep them; one that is started anew has none."""
    for file in _held:
        file.close()


os.register_at_fork(after_in_child=_let_go)
