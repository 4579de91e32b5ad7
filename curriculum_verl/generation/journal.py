"""What is done is written down prompt by prompt; after a kill at any moment, what stands there in full is kept."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

ENDING = ".journal"
NOTHING = msgspec.Raw(b"")


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finished prompt, by its position in the data: its line of the rollouts, or of the rejects."""

    position: int
    responses: int = 0
    tokens: int = 0
    uncounted: int = 0  # responses whose tokens a server does not count
    filtered: int = 0  # responses that a server's content filter ended
    unscored: int = 0
    stopped: str | None = None  # early, and why
    saved_responses: int = 0
    saved_tokens: int = 0
    line: msgspec.Raw = NOTHING
    reject: msgspec.Raw = NOTHING


class Journal:
    """Appends entries to a file of its own. No file is ever continued, so only the last line of each can be torn."""

    def __init__(self, folder: Path):
        self._file = os.open(folder / f"{uuid.uuid4().hex}{ENDING}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)

    def write(self, entry: Entry) -> None:
        """Add an entry; once this returns, a kill of the process does not take it away."""
        content = memoryview(msgspec.json.encode(entry) + b"\n")
        while content:
            content = content[os.write(self._file, content) :]

    def close(self) -> None:
        """Make all entries last through a power cut."""
        os.fsync(self._file)
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands."""

    path: Path
    start: int
    size: int

    def entry(self) -> Entry:
        """The entry."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            return msgspec.json.decode(file.read(self.size), type=Entry)


class Tail:
    """The entries of all journals in a folder, each given once, as they are written."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._read: dict[Path, int] = {}

    def new(self) -> Iterator[tuple[Entry, Place]]:
        """What was written since the last call; a line without an end is not there yet."""
        for path in sorted(self._folder.glob(f"*{ENDING}")):
            with path.open("rb") as file:
                start = self._read.get(path, 0)
                file.seek(start)
                for line in file:
                    entry = _entry(line)
                    if entry is None:
                        break
                    yield entry, Place(path, start, len(line))
                    start += len(line)
                    self._read[path] = start


def _entry(line: bytes) -> Entry | None:
    if not line.endswith(b"\n"):
        return None
    try:
        return msgspec.json.decode(line, type=Entry)
    except (msgspec.DecodeError, RecursionError):  # what a power cut has left of it
        return None


def finished(folder: Path) -> dict[int, Place]:
    """Where each finished prompt stands; one that was done twice counts once."""
    found: dict[int, Place] = {}
    for entry, place in Tail(folder).new():
        found.setdefault(entry.position, place)
    return found
