"""Work made up for tests of processes, which import it by name."""

import os
import signal
from pathlib import Path

from curriculum_verl.errors import InputError


def mark(task: tuple[Path, str]) -> None:
    """Leave a mark, and then end in one way or another."""
    folder, ending = task
    (folder / f"{ending}-{os.getpid()}").touch()
    if ending == "error":
        raise InputError("one of them failed")
    if ending == "unpicklable":
        raise type("LocalError", (Exception,), {})("of a library")
    if ending == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if ending == "endless":
        signal.pause()
