"""A .json file that holds one array: its elements are lines, read one after the other, whatever the file's size."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.lines import BLOCK, BOM, Generated, HashedFile, Piece, pieces

LONGEST = 1 << 28  # characters of an element; without a limit, a damaged file would be taken for one long element
_BLANK = " \t\r\n"
_FOLLOWS = re.compile(rf"[{_BLANK}]*+[,\]]")
_DECODER = json.JSONDecoder()


def is_array(path: Path) -> bool:
    """Whether a file is a JSON array and not JSON lines."""
    if path.suffix != ".json":
        return False
    with path.open("rb") as file:
        return file.read(BLOCK).removeprefix(BOM).lstrip().startswith(b"[")


def pieces_of(path: Path, size: int) -> list[Piece]:
    """The pieces of a file, of about so many bytes, in which lines are looked for; an array is one."""
    return [Piece(path, 0, path.stat().st_size)] if is_array(path) else pieces(path, size)


def open_array(piece: Piece, raw: HashedFile) -> tuple[BinaryIO, int, int | None]:
    """What `open_piece` gives, of an array."""
    raw.finish()
    return cast(BinaryIO, io.BufferedReader(Generated(array_lines(piece.path)), BLOCK)), 0, None


def array_lines(path: Path, block: int = BLOCK) -> Iterator[bytes]:
    """The elements of the array, each on a line of its own."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _Array(file, block).elements()
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as a JSON array: {error}; expected an intact file") from error


class _Array:
    """Reads element after element; no more of the file is held than the longest of them."""

    def __init__(self, file: TextIO, block: int):
        self._file, self._block = file, block
        self._buffer, self._at, self._number = "", 0, 0

    def elements(self) -> Iterator[bytes]:
        """All of them; whatever is wrong with the file is a ValueError."""
        self._take()  # the bracket
        closing = self._take() if self._next() == "]" else ","
        while closing == ",":
            self._next()
            stop = self._length_of_element() + self._at
            element = self._buffer[self._at : stop].replace("\r", " ").replace("\n", " ")  # in a string stands neither
            self._at, self._number = stop, self._number + 1
            yield element.encode() + b"\n"
            closing = self._take()
        if closing != "]":
            found = closing or "the end of the file"
            raise ValueError(f"after element {self._number}: got {found!r}, expected a comma or ]")
        if rest := self._next():
            raise ValueError(f"after the array: got {rest!r}, expected the end of the file")

    def _length_of_element(self) -> int:
        while True:
            try:
                stop = _DECODER.raw_decode(self._buffer, self._at)[1]
                length = stop - self._at
                if _FOLLOWS.match(self._buffer, stop) or not self._more():  # the rest of a number may be still to come
                    return length
            except ValueError as error:
                if not self._more():
                    raise ValueError(f"element {self._number + 1}: {error}") from error

    def _more(self) -> bool:
        """Read on; twice as much each time, so that a long element is not tried too often."""
        self._buffer, self._at = self._buffer[self._at :], 0
        if len(self._buffer) > LONGEST:
            raise ValueError(f"element {self._number + 1} is longer than {LONGEST:,} characters")
        read = self._file.read(max(self._block, len(self._buffer)))
        self._buffer += read
        return bool(read)

    def _next(self) -> str:
        """The next character that is not blank; none at the end of the file."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._buffer) or not self._more():
                return self._buffer[self._at : self._at + 1]

    def _take(self) -> str:
        found = self._next()
        self._at += 1
        return found
