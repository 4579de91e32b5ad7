"""A file that grows, line by line: each whole line once, whatever kills and restarts have done to the file.

lines = Lines(path)
news = lines.new()        # news.lines; news.again: the file was cut or replaced, what was given before is void
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

CHUNK = 16_000_000  # bytes that are read at once
LONGEST = 256_000_000  # bytes of a line; what is longer is none of ours
_TAIL = 64  # bytes before the place that was reached, by which a file is known again


@dataclass(frozen=True, slots=True)
class News:
    """The lines since the last look, without their ends; `again` if they begin another file than those before."""

    lines: list[bytes]
    again: bool = False


class Lines:
    """The whole lines of a file that need not be there yet. A line without its end is left for the next look.

    What cannot be read gives no line; `trouble` says why, as of the last look.
    """

    def __init__(self, path: Path, *, only_new: bool = False):
        self._path = path
        self._read = path.stat().st_size if only_new and path.exists() else 0
        self._file: tuple[int, int] | None = None
        self._tail = b""
        self.behind = 0  # bytes that were there at the last look and were not given
        self.trouble = ""

    def new(self, at_most: int = CHUNK) -> News:
        """Lines of about so many bytes that were written since the last call."""
        self.trouble, self.behind = "", 0
        try:
            return self._news(at_most)
        except FileNotFoundError:  # not yet there, or being replaced
            return News([])
        except OSError as error:
            self.trouble = error.strerror or str(error)
            return News([])

    def _news(self, at_most: int) -> News:
        descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("it is no regular file")
            again = self._is_another(descriptor)
            if again:
                self._read, self._tail = 0, b""
            lines = self._lines(descriptor, at_most)
            self.behind = max(0, os.fstat(descriptor).st_size - self._read)
            return News(lines, again)
        finally:
            os.close(descriptor)

    def _is_another(self, descriptor: int) -> bool:
        """Whether the file is not the one that was read before, or no longer holds what was read."""
        found = os.fstat(descriptor)
        before, self._file = self._file, (found.st_dev, found.st_ino)
        if before is None:
            return False
        known = os.pread(descriptor, len(self._tail), self._read - len(self._tail))
        return self._file != before or found.st_size < self._read or known != self._tail

    def _lines(self, descriptor: int, at_most: int) -> list[bytes]:
        size = at_most
        while True:
            piece = os.pread(descriptor, size, self._read)
            whole, end, _ = piece.rpartition(b"\n")
            if end or len(piece) < size:
                break
            if size > LONGEST:  # passed over; its rest will be a line that cannot be read
                whole, end = b"", piece
                break
            size *= 4
        self._read += len(whole) + len(end)
        if end:
            self._tail = (self._tail + piece[: len(whole) + len(end)][-_TAIL:])[-_TAIL:]
        return whole.split(b"\n") if end else []
