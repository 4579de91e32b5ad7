"""Reading rollouts, a piece of a file at a time: every response is looked at once, and only numbers are kept."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from curriculum_verl.analysis.lines import Line, LineReader
from curriculum_verl.analysis.measuring import Judge, Seen
from curriculum_verl.analysis.rows import ROW, merged
from curriculum_verl.analysis.tally import Cell
from curriculum_verl.analysis.tasks import Task, piece_lines
from curriculum_verl.errors import InputError
from curriculum_verl.rewards.usage import efficiency
from curriculum_verl.rollouts.scores import LineError

AT_ONCE = 1024  # responses whose numbers are held as such
MOST_NAMES = 1000  # buckets times stages of a run, or unknown operations
NO_BUCKET = "(none)"


@dataclass(frozen=True, slots=True)
class Skip:
    """The first line that was left out for a reason; `line` counts within its piece."""

    piece: int
    line: int
    message: str


@dataclass(slots=True)
class Scanned:
    """What a task found; its rows are on disk, with buckets and stages as numbers of `names`."""

    rows: Path
    names: list[tuple[str, str]] = field(default_factory=list)  # bucket and stage of every cell
    cells: list[Cell] = field(default_factory=list)
    lines: int = 0
    responses: int = 0
    skipped: Counter[str] = field(default_factory=Counter)  # reason -> lines
    first: dict[str, Skip] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)  # lines that were not asked for
    unknown: Counter[str] = field(default_factory=Counter)  # operations that the settings do not name


def scan(task: Task) -> Scanned:
    """Read the lines of a task; one that is no rollout is counted with its reason, and left out."""
    # A task that is run again must not write into the file of the first attempt, which may still be alive.
    found = Scanned(task.folder / f"rows-{task.number:08}-{uuid.uuid4().hex[:8]}")
    scanner = _Scanner(task, found)
    for number, piece in enumerate(task.pieces, task.number):
        for line_number, line in piece_lines(piece):
            scanner.take(line, number, line_number)
    scanner.finish()
    return found


class _Scanner:
    """Takes in lines one by one."""

    def __init__(self, task: Task, found: Scanned):
        self._task, self._found = task, found
        self._read = LineReader(task.fields)
        self._judge = Judge(task.reading.judging)
        self._rows: list[tuple[object, ...]] = []
        self._seen: dict[int, list[Seen]] = defaultdict(list)
        self._tokens: dict[int, list[int]] = defaultdict(list)
        self._waiting = 0

    def take(self, text: bytes, piece: int, number: int) -> None:
        """Look at a line."""
        found = self._found
        found.lines += 1
        try:
            line = self._read(text)
        except LineError as error:
            found.skipped[error.reason] += 1
            found.first.setdefault(error.reason, Skip(piece, number, str(error)))
            return
        run = self._task.run
        bucket = line.bucket or run.bucket_of_id.get(line.rollout.id)
        bucket = bucket or run.bucket_of_file.get(self._task.piece(piece).path) or NO_BUCKET
        stage = run.stage_name(line.stage)
        left_out = self._task.reading.selection.left_out(line.step, stage, bucket, line.rollout.id)
        if left_out is not None:
            found.left_out[left_out] += 1
            return
        self._add(line, self._cell(bucket, stage), piece, number)

    def _cell(self, bucket: str, stage: str) -> int:
        names = self._found.names
        if (bucket, stage) not in names:
            if len(names) == MOST_NAMES:
                raise InputError(
                    f"{self._task.run.name}: got more than {MOST_NAMES} buckets and stages, such as {bucket!r} in "
                    f"{stage!r}; expected the names of buckets, not something of every prompt"
                )
            names.append((bucket, stage))
            self._found.cells.append(Cell())
        return names.index((bucket, stage))

    def _add(self, line: Line, cell: int, piece: int, number: int) -> None:
        threshold, prompt = self._task.reading.judging.pass_threshold, line.prompt
        scores = line.rollout.scores
        seen = [
            self._judge.see(text, prompt, score >= threshold)
            for text, score in zip(line.rollout.responses, scores, strict=True)
        ]
        looping = max(range(len(seen)), key=lambda at: (seen[at].loop_score, -at))
        exploring = max(range(len(seen)), key=lambda at: (seen[at].exploration, -at))
        self._rows.append(
            (
                line.rollout.key,
                cell,
                cell,
                len(seen),
                _sums(seen, scores, line.tokens, threshold),
                (piece, number, 0),
                seen[looping].loop_score,
                (piece, number, looping),
                seen[exploring].exploration,
                (piece, number, exploring),
            )
        )
        self._seen[cell] += seen
        self._tokens[cell] += line.tokens or ()
        self._found.responses += len(seen)
        self._waiting += len(seen)
        for one in seen:
            for name in one.unknown:
                if name in self._found.unknown or len(self._found.unknown) < MOST_NAMES:
                    self._found.unknown[name] += 1
        if self._waiting >= AT_ONCE:
            self._count()

    def _count(self) -> None:
        for cell, seen in self._seen.items():
            self._found.cells[cell].add(seen, self._tokens[cell])
        self._seen.clear()
        self._tokens.clear()
        self._waiting = 0

    def finish(self) -> None:
        """Write the rows, one for every prompt in every cell."""
        self._count()
        self._found.rows.write_bytes(merged(np.array(self._rows, dtype=ROW), by_stage=True).tobytes())


def _sums(
    seen: Sequence[Seen], scores: Sequence[float], tokens: Sequence[int] | None, threshold: float
) -> tuple[float, ...]:
    """In the order of SUMS."""
    coherence = [one.coherence for one in seen if one.coherence is not None]
    trying = [one.trace for one in seen if one.trace.attempts]
    return (
        sum(score >= threshold for score in scores),
        sum(scores),
        sum(one.characters for one in seen),
        sum(tokens or ()),
        len(tokens or ()),
        sum(one.steps for one in seen),
        sum(one.trace.calls for one in seen),
        sum(one.trace.attempts for one in seen),
        sum(one.trace.malformed for one in seen),
        sum(one.trace.uses_tools for one in seen),
        sum(coherence),
        len(coherence),
        sum(one.loops for one in seen),
        sum(one.stuck for one in seen),
        sum(efficiency(trace) for trace in trying),
        len(trying),
    )
