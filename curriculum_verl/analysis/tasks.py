"""What there is to read, in tasks: pieces of the files of a run, with all that says how their lines are read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curriculum_verl.analysis.measuring import Judging
from curriculum_verl.analysis.runs import Run
from curriculum_verl.analysis.selection import Selection
from curriculum_verl.rollouts.arrays import is_array, open_array
from curriculum_verl.rollouts.fields import Fields
from curriculum_verl.rollouts.files import kind_of
from curriculum_verl.rollouts.lines import BOM, HashedFile, Piece, open_piece

PIECE = 8 << 20  # bytes of a file that are read as one task


@dataclass(frozen=True, slots=True)
class Reading:
    """How lines are read: the same for all runs."""

    judging: Judging
    selection: Selection
    fields: Fields


@dataclass(frozen=True, slots=True)
class Task:
    """Pieces of one run's files; `number` is that of the first among all pieces."""

    run: Run
    pieces: tuple[Piece, ...]
    number: int
    folder: Path
    reading: Reading

    @property
    def fields(self) -> Fields:
        """Where its lines keep what."""
        return self.run.fields or self.reading.fields

    def piece(self, number: int) -> Piece:
        """The piece of a number among all."""
        return self.pieces[number - self.number]

    @property
    def bytes(self) -> int:
        """How much there is to read."""
        return sum(piece.end - piece.start for piece in self.pieces)


def pieces_of(path: Path) -> list[Piece]:
    """A file in pieces of about as many bytes; compressed files, parquet and arrays are one."""
    total = path.stat().st_size
    if kind_of(path) != "plain" or is_array(path):
        return [Piece(path, 0, total)]
    return [Piece(path, start, min(start + PIECE, total)) for start in range(0, max(1, total), PIECE)]


def tasks_of(runs: Sequence[Run], folder: Path, reading: Reading) -> list[Task]:
    """All that is to be read, in tasks of about PIECE bytes; the same wherever they run."""
    tasks: list[Task] = []
    number = 0
    for run in runs:
        alone = replace(run, files=())  # thousands of names need not go with every task
        for pieces in _batches(piece for file in run.files for piece in pieces_of(file)):
            tasks.append(Task(alone, pieces, number, folder, reading))
            number += len(pieces)
    return tasks


def _batches(pieces: Iterable[Piece]) -> Iterator[tuple[Piece, ...]]:
    gathered: list[Piece] = []
    size = 0
    for piece in pieces:
        if gathered and size + piece.end - piece.start > PIECE:
            yield tuple(gathered)
            gathered, size = [], 0
        gathered.append(piece)
        size += piece.end - piece.start
    yield tuple(gathered)


def piece_lines(piece: Piece) -> Iterator[tuple[int, bytes]]:
    """The lines of a piece that are not blank, with their number in it from 1."""
    with HashedFile(piece.path, piece.start, piece.end) as raw:
        file, start, length = (open_array if is_array(piece.path) else open_piece)(piece, raw)
        at = 0
        for number, line in enumerate(file, 1):
            if length is not None and at >= length:
                return
            text = line.removeprefix(BOM) if start + at == 0 else line
            at += len(line)
            if text and not text.isspace():
                yield number, text
