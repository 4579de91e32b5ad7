"""Disks that are full or cannot be written to, where this machine lets a process have a file system of its own."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from torture.processes import Ended, Times, run

SCRIPT = Path(__file__).with_name("small_disk.py")
SPACES = (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"])  # the first as root, the second as anyone
NONE = "this machine does not let a process mount a file system of its own"
READ_ONLY, LARGE = "ro", "rw,size=1g"


def full(size: int) -> str:
    """Mount options of a disk that holds only so many bytes, in whole pages."""
    return f"size={max(2, size // 4096) * 4096}"


def mounting(folder: Path) -> list[str] | None:
    """How a command gets a space for mounts of its own here; None if it cannot."""
    place = folder / "mount-test"
    place.mkdir(exist_ok=True)
    for words in SPACES:
        if shutil.which(words[0]) is None:
            return None
        tried = subprocess.run([*words, "mount", "-t", "tmpfs", "torture", str(place)], capture_output=True)
        if tried.returncode == 0:
            return words
    return None


def on_disk(words: Sequence[str], place: Path, options: str, space: Sequence[str]) -> tuple[Ended, Ended, Path]:
    """The command on such a disk, again on one with room, and where the second left its output."""
    kept, told = place.with_name(f"{place.name}.kept"), place.with_name(f"{place.name}.told")
    shutil.rmtree(kept, ignore_errors=True)
    told.unlink(missing_ok=True)
    done = run([*space, sys.executable, str(SCRIPT), str(place), options, LARGE, *words], place)
    if not told.exists():
        raise RuntimeError(f"the small disk was not made: {done.last}")
    first, second = (Ended(found["code"], found["said"], Times(0, 0)) for found in json.loads(told.read_text()))
    return first, second, kept
