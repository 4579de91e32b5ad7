"""Lines out of files of any size: streamed in blocks, from byte ranges where the file allows, hashed on the way."""

import io
import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.files import kind_of

BLOCK = 1 << 20  # small enough to stay in a processor's cache
HASH_BLOCK = 64 << 20  # a file's hash is made of the hashes of such blocks, so that ranges can be hashed apart
BOM = b"\xef\xbb\xbf"
PARQUET_ROWS = 256  # rows that are decoded at a time
ENCODE_ROW = msgspec.json.Encoder(enc_hook=str, decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Piece:
    """The lines of a file that start in a byte range; compressed files and parquet come in one piece."""

    path: Path
    start: int
    end: int


def pieces(path: Path, size: int) -> list[Piece]:
    """A file cut into pieces of about so many bytes, at multiples of HASH_BLOCK."""
    total = path.stat().st_size
    if kind_of(path) != "plain" or total == 0:
        return [Piece(path, 0, total)]
    step = max(1, size // HASH_BLOCK) * HASH_BLOCK
    return [Piece(path, start, min(start + step, total)) for start in range(0, total, step)]


def content_hash(block_hashes: list[bytes]) -> str:
    """A file's hash from those of its blocks."""
    return "xxh3-128/64MiB:" + xxhash.xxh3_128_hexdigest(b"".join(block_hashes))


class HashedFile(io.RawIOBase):
    """A file from `start` on that hashes, block by block, what is read up to `end`."""

    def __init__(self, path: Path, start: int, end: int):
        self._file = path.open("rb", buffering=0)
        self._file.seek(start)
        self._left = end - start
        self._in_block = 0
        self._hash = xxhash.xxh3_128()
        self.hashes: list[bytes] = []

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what comes next."""
        count = self._file.readinto(buffer)
        seen = memoryview(buffer)[: min(count, self._left)]
        self._left -= len(seen)
        while seen:
            part = seen[: HASH_BLOCK - self._in_block]
            self._hash.update(part)
            self._in_block += len(part)
            seen = seen[len(part) :]
            if self._in_block == HASH_BLOCK:
                self._close_block()
        return count

    def _close_block(self) -> None:
        if self._in_block:
            self.hashes.append(self._hash.digest())
            self._hash, self._in_block = xxhash.xxh3_128(), 0

    def finish(self) -> list[bytes]:
        """The hashes of all blocks, once everything up to `end` was read."""
        while self._left and self.read(BLOCK):
            pass
        self._close_block()
        return self.hashes

    def close(self) -> None:
        """Close the file."""
        if hasattr(self, "_file"):  # else it could not be opened
            self._file.close()
        super().close()


def line_blocks(file: BinaryIO, length: int | None = None) -> Iterator[list[bytes]]:
    """The lines that start within `length` bytes (None: all), with their ends, about BLOCK bytes at a time."""
    left = length
    while left is None or left > 0:
        # readlines goes on until it has more than it is asked for, but a line at `length` is not ours; 0 means all.
        size = (BLOCK if left is None else min(BLOCK, left)) - 1
        lines = file.readlines(size) if size else list(itertools.islice(file, 1))
        if not lines:
            return
        yield lines
        left = None if left is None else left - sum(map(len, lines))


def lines_before(piece: Piece) -> int:
    """How many lines of the file start before the piece."""
    with piece.path.open("rb", buffering=BLOCK) as file:
        return sum(map(len, line_blocks(file, piece.start)))


def open_piece(piece: Piece, raw: HashedFile) -> tuple[BinaryIO, int, int | None]:
    """The piece as a file of plain lines, where its first line starts, and how many bytes its lines start in."""
    kind = kind_of(piece.path)
    if kind == "plain":
        file = io.BufferedReader(raw, BLOCK)
        skipped = len(file.readline()) if piece.start and _in_line(piece) else 0
        return cast(BinaryIO, file), piece.start + skipped, max(0, piece.end - piece.start - skipped)
    if kind == "parquet":
        raw.finish()
        return cast(BinaryIO, io.BufferedReader(Generated(parquet_lines(piece.path)), BLOCK)), 0, None
    return cast(BinaryIO, io.BufferedReader(_Unpacked(raw, piece.path), BLOCK)), 0, None


def _in_line(piece: Piece) -> bool:
    """Whether the piece starts in the middle of a line, which belongs to the piece before."""
    with piece.path.open("rb") as file:
        file.seek(piece.start - 1)
        return file.read(1) != b"\n"


def valid_utf8(block: bytes) -> bool:
    """Whether the bytes are UTF-8, at the speed of memory."""
    offsets = pa.py_buffer(struct.pack("<qq", 0, len(block)))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(block)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


class _Unpacked(io.RawIOBase):
    """The content of a compressed file; where that is damaged, an error that names the file."""

    def __init__(self, raw: HashedFile, path: Path):
        self._stream = pa.CompressedInputStream(pa.PythonFile(raw, "r"), kind_of(path))
        self._path = path

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Unpack what comes next."""
        try:
            return int(self._stream.readinto(buffer))
        except OSError as error:
            if error.errno is not None:
                raise
            raise InputError(
                f"{self._path}: cannot be unpacked: {error}; the file is damaged or is not what its name says"
            ) from error


class Generated(io.RawIOBase):
    """Lines that are made on the fly, as a file."""

    def __init__(self, lines: Iterator[bytes]):
        self._lines = lines
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Hand out the next bytes."""
        if not self._rest:
            self._rest = memoryview(next(self._lines, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def parquet_lines(path: Path) -> Iterator[bytes]:
    """The rows of a parquet file as JSON lines."""
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=PARQUET_ROWS):
                for row in batch.to_pylist():
                    yield ENCODE_ROW(row) + b"\n"
    # What pyarrow raises for damaged data or values that Python cannot hold; an OSError with a number is the disk's.
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(f"{path}: cannot be read as parquet: {error}; expected an intact .parquet file") from error


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a whole file that are not blank, with their numbers from 1."""
    piece = Piece(path, 0, path.stat().st_size)
    with HashedFile(path, 0, piece.end) as raw:
        file, _, _ = open_piece(piece, raw)
        for number, line in enumerate(file, 1):
            text = line.removeprefix(BOM) if number == 1 else line
            if not text.isspace() and text:
                yield number, text
