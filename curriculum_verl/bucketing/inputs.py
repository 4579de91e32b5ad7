"""What the first pass found, file by file."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from curriculum_verl.bucketing.manifest import Source
from curriculum_verl.bucketing.scan import Scanned, ScannedPiece
from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.files import kind_of
from curriculum_verl.rollouts.lines import content_hash


class Inputs:
    """All pieces by their number, put together to files."""

    def __init__(self, scanned: Sequence[Scanned]):
        self._pieces = [piece for task in scanned for piece in task.pieces]
        self._lines_before: list[int] = []
        for _, pieces in self._by_file():
            before = 0
            for piece in pieces:
                self._lines_before.append(before)
                before += piece.lines
        self.bytes = sum(piece.piece.end - piece.piece.start for piece in self._pieces)
        self.lines = sum(piece.lines for piece in self._pieces)
        self.blank = sum(piece.blank for piece in self._pieces)
        self.rejected = sum((piece.rejected for piece in self._pieces), Counter[str]())
        self.formats = sum((piece.formats for piece in self._pieces), Counter[str]())

    @property
    def bytes_at(self) -> tuple[Path, ...]:
        """For every piece the file that holds its lines as they are copied."""
        return tuple(piece.bytes_at for piece in self._pieces)

    def place(self, source: int, line: int) -> tuple[str, int]:
        """The file and the line in it of a line in a piece."""
        return str(self._pieces[source].piece.path), self._lines_before[source] + line

    def files(self, rejected_in: Counter[str]) -> list[Source]:
        """What the manifest says of each file; `rejected_in` counts the rejected lines of each."""
        return [_source(path, pieces, rejected_in[str(path)]) for path, pieces in self._by_file()]

    def empty(self) -> list[str]:
        """The files without a line that says anything."""
        return [str(path) for path, pieces in self._by_file() if all(piece.lines == piece.blank for piece in pieces)]

    def _by_file(self) -> list[tuple[Path, list[ScannedPiece]]]:
        return [(path, list(pieces)) for path, pieces in groupby(self._pieces, key=lambda piece: piece.piece.path)]


def _source(path: Path, pieces: Sequence[ScannedPiece], rejected: int) -> Source:
    return Source(
        path=str(path),
        bytes=max(piece.piece.end for piece in pieces),
        hash=content_hash([digest for piece in pieces for digest in piece.hashes]),
        kind=kind_of(path),
        formats=dict(sum((piece.formats for piece in pieces), Counter[str]())),
        lines=sum(piece.lines for piece in pieces),
        blank=sum(piece.blank for piece in pieces),
        rejected=rejected,
    )


def refuse_empty(inputs: Inputs, on_invalid: str) -> list[str]:
    """Files that hold nothing are an error, or else a warning each; nothing at all is always an error."""
    empty = inputs.empty()
    if not inputs.formats and not inputs.rejected:
        raise InputError(
            f"{', '.join(empty[:5])}: got no rollouts at all, expected at least one line; the input is empty"
        )
    if empty and on_invalid == "error":
        raise InputError(
            f"{', '.join(empty[:5])}: is empty, expected at least one rollout; take it out, or --on-invalid reject to "
            "go on without"
        )
    return [f"{path}: is empty" for path in empty]
