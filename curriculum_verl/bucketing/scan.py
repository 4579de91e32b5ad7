"""The first pass: every line is read once, and a row of facts is kept of it."""

import dataclasses
import itertools
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np

from curriculum_verl.bucketing.facts import FACTS, Facts
from curriculum_verl.bucketing.looking import Look, RolloutLook
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.arrays import is_array, open_array, pieces_of
from curriculum_verl.rollouts.files import kind_of
from curriculum_verl.rollouts.lines import (
    BOM,
    HASH_BLOCK,
    HashedFile,
    Piece,
    line_blocks,
    lines_before,
    open_piece,
    valid_utf8,
)
from curriculum_verl.rollouts.scores import LineError

HEAD = 200  # bytes of a rejected line that are shown


class Reject(msgspec.Struct, frozen=True):
    """A line that is in no bucket, with the reason; `source` is the number of its piece, `line` counts within that."""

    source: int
    line: int
    reason: str
    message: str
    begins: str

    @classmethod
    def of(cls, source: int, line: int, reason: str, message: str, content: bytes) -> "Reject":
        """With the first bytes of the line, so that it can be told from others."""
        return cls(source, line, reason, message, content[:HEAD].decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class ScanTask:
    """Pieces of files to scan; `source` is the number of the first among all pieces of the run."""

    number: int
    pieces: tuple[Piece, ...]
    source: int
    folder: Path
    settings: Settings
    look: Callable[[Any], Look] = RolloutLook  # of the settings


@dataclass(slots=True)
class ScannedPiece:
    """What a piece held. `bytes_at` is the file that holds its lines as bytes: itself, or a copy."""

    piece: Piece
    bytes_at: Path
    lines: int = 0
    blank: int = 0
    rejected: Counter[str] = field(default_factory=Counter)  # reason -> lines
    formats: Counter[str] = field(default_factory=Counter)
    hashes: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scanned:
    """A task's facts on disk, its rejects beside them (source, line in its piece, ...), and what its pieces held."""

    facts: Path
    rejects: Path
    rows: int
    pieces: list[ScannedPiece]


def scan_tasks(
    files: Sequence[Path], folder: Path, settings: Settings, look: Callable[[Any], Look] = RolloutLook
) -> list[ScanTask]:
    """All files as tasks of about HASH_BLOCK bytes; the same tasks wherever they run, so the same results."""
    tasks: list[ScanTask] = []
    gathered: list[Piece] = []
    done = 0
    for piece in itertools.chain.from_iterable(pieces_of(file, HASH_BLOCK) for file in files):
        if gathered and sum(p.end - p.start for p in gathered) + piece.end - piece.start > HASH_BLOCK:
            tasks.append(ScanTask(len(tasks), tuple(gathered), done, folder, settings, look))
            done, gathered = done + len(gathered), []
        gathered.append(piece)
    return [*tasks, ScanTask(len(tasks), tuple(gathered), done, folder, settings, look)]


def scan(task: ScanTask) -> Scanned:
    """Read the lines of a task. A bad line is an error or a reject, as the settings say."""
    # A task that is run again must not write into the files of the first attempt, which may still be alive.
    name = f"{task.number:06}-{uuid.uuid4().hex[:8]}"
    found = Scanned(task.folder / f"facts-{name}", task.folder / f"rejects-{name}.jsonl", 0, [])
    rows = 0
    with found.facts.open("wb") as facts_file, found.rejects.open("wb") as rejects_file:
        scanner = _Scanner(task, rejects_file)
        for source, piece in enumerate(task.pieces, task.source):
            copy = task.folder / f"copied-{source:06}-{name}.jsonl"
            scanned = ScannedPiece(piece, copy if scanner.copies(piece) else piece.path)
            for facts in scanner.facts(scanned, source):
                facts_file.write(facts.tobytes())
                rows += len(facts)
            found.pieces.append(scanned)
    return dataclasses.replace(found, rows=rows)


class _Scanner:
    """Scans pieces one after the other."""

    def __init__(self, task: ScanTask, rejects: BinaryIO):
        self._settings = task.settings
        self._rejects = rejects
        self._look = task.look(task.settings)

    def copies(self, piece: Piece) -> bool:
        """Whether buckets get the lines of the piece from a copy."""
        return self._look.rewrites or kind_of(piece.path) != "plain" or is_array(piece.path)

    def facts(self, scanned: ScannedPiece, source: int) -> Iterator[Facts]:
        """The facts of a piece, block by block."""
        piece = scanned.piece
        with HashedFile(piece.path, piece.start, piece.end) as raw, ExitStack() as stack:
            file, start, length = (open_array if is_array(piece.path) else open_piece)(piece, raw)
            copy = stack.enter_context(scanned.bytes_at.open("wb")) if scanned.bytes_at != piece.path else None
            for lines in line_blocks(file, length):
                if copy and not self._look.rewrites:
                    copy.writelines(lines)
                yield np.array(list(self._rows(lines, start, scanned, source, copy)), dtype=FACTS)
                start += sum(map(len, lines))
            scanned.hashes = raw.finish()

    def _rows(
        self, lines: list[bytes], start: int, scanned: ScannedPiece, source: int, copy: BinaryIO | None
    ) -> Iterator[tuple[Any, ...]]:
        utf8 = valid_utf8(b"".join(lines))
        for line in lines:
            at, start = start, start + len(line)
            scanned.lines += 1
            if at == 0 and line.startswith(BOM):
                line, at = line[len(BOM) :], len(BOM)
            if line.isspace() or not line:
                scanned.blank += 1
                continue
            try:
                if not utf8:
                    _check_utf8(line)
                seen = self._look(line)
            except LineError as error:
                self._refuse(error, line, scanned, source)
                continue
            scanned.formats[seen.format] += 1
            size = len(line) - line.endswith(b"\n")
            if copy and seen.content is not None:
                at, size = copy.tell(), len(seen.content)
                copy.write(seen.content + b"\n")
            yield seen.key, source, seen.part, at, size, scanned.lines, *seen.numbers

    def _refuse(self, error: LineError, line: bytes, scanned: ScannedPiece, source: int) -> None:
        if self._settings.on_invalid == "error" and error.reason not in self._settings.unwanted:
            number = scanned.lines + lines_before(scanned.piece)
            mend = "mend the line, or --on-invalid reject puts such lines into rejects.jsonl"
            raise InputError(f"{scanned.piece.path}:{number}: {error}; {mend}") from error
        scanned.rejected[error.reason] += 1
        reject = Reject.of(source, scanned.lines, error.reason, str(error), line)
        self._rejects.write(msgspec.json.encode(reject) + b"\n")


def _check_utf8(line: bytes) -> None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise LineError("not_utf8", f"is not UTF-8: {error.reason} at byte {error.start + 1}") from error
