"""All tasks of all runs, put together: for every run its counts by bucket and stage, and a row for every prompt."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from curriculum_verl.analysis.rows import Rows, merged, read_rows, sums
from curriculum_verl.analysis.runs import Run
from curriculum_verl.analysis.scanning import MOST_NAMES, NO_BUCKET, Scanned, scan
from curriculum_verl.analysis.tally import Cell
from curriculum_verl.analysis.tasks import Reading, Task, tasks_of
from curriculum_verl.errors import InputError, unknown_name
from curriculum_verl.parallel import Runner
from curriculum_verl.rollouts.lines import lines_before
from curriculum_verl.words import counted


@dataclass(slots=True)
class Gathered:
    """One run. `rows` has one row for every prompt and stage, whose buckets and stages are numbers of the names."""

    run: Run
    buckets: list[str]
    stages: list[str]  # those that lines name, in the order of the run
    cells: dict[tuple[str, str], Cell]  # of bucket and stage; the stage is empty where lines name none
    rows: Rows
    lines: int
    responses: int
    skipped: dict[str, tuple[int, str]]  # reason -> lines, and what the first was
    left_out: Counter[str]
    unknown: Counter[str]

    @property
    def has_tokens(self) -> bool:
        """Whether every response has a count of tokens."""
        return int(sums(self.rows, "with_tokens").sum()) == self.responses


@dataclass(slots=True)
class _Part:
    """What tasks of one run have found so far."""

    names: list[tuple[str, str]] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    files: list[tuple[Path, list[int]]] = field(default_factory=list)  # rows, and the cells that their numbers mean
    lines: int = 0
    responses: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    def take(self, scanned: Scanned, task: Task) -> None:
        """Add a task, the next in order."""
        for names, cell in zip(scanned.names, scanned.cells, strict=True):
            if names not in self.names:
                if len(self.names) == MOST_NAMES:
                    raise InputError(
                        f"{task.run.name}: got more than {MOST_NAMES} buckets and stages, such as {names[0]!r}"
                    )
                self.names.append(names)
                self.cells.append(Cell())
            self.cells[self.names.index(names)].merge(cell)
        self.files.append((scanned.rows, [self.names.index(names) for names in scanned.names]))
        self.lines += scanned.lines
        self.responses += scanned.responses
        self.skipped.update(scanned.skipped)
        self.left_out.update(scanned.left_out)
        self.unknown.update(scanned.unknown)
        for reason, skip in scanned.first.items():
            if reason not in self.first:
                piece = task.piece(skip.piece)
                self.first[reason] = f"{piece.path}:{lines_before(piece) + skip.line}: {skip.message}"


def gather(runs: Sequence[Run], reading: Reading, folder: Path, runner: Runner) -> tuple[list[Gathered], list[Task]]:
    """Read everything once; returns the runs, and of every piece by number the task that it was in."""
    tasks = tasks_of(runs, folder, reading)
    parts = {run.name: _Part() for run in runs}
    with tqdm(total=sum(task.bytes for task in tasks), desc="analyze", unit="B", unit_scale=True, disable=None) as bar:
        for task, scanned in zip(tasks, runner.map(scan, tasks), strict=True):
            parts[task.run.name].take(scanned, task)
            bar.update(task.bytes)
    _require(runs, parts, reading)
    buckets = _easiest_first(runs, list(parts.values()))
    return [_whole(run, parts[run.name], buckets) for run in runs], [task for task in tasks for _ in task.pieces]


def _require(runs: Sequence[Run], parts: dict[str, _Part], reading: Reading) -> None:
    """An error if a run has nothing left to look at, or if nobody has a stage or bucket that was asked for."""
    selection = reading.selection
    for what, asked, at in (("stage", selection.stages, 1), ("bucket", selection.buckets, 0)):
        there = {names[at] for part in parts.values() for names in part.names} - {""}
        known = {name for run in runs for name in (run.buckets, run.stages)[at]} | there
        for name in sorted((asked or frozenset()) - known):
            raise InputError(f"--{what}: {unknown_name(what, name, sorted(known) or ['(the runs name none)'])}")
    for run in runs:
        part = parts[run.name]
        if part.responses:
            continue
        files = ", ".join(map(str, run.files[:3]))
        if part.left_out:
            reasons = ", ".join(f"{counted(count, 'line')} of {reason}" for reason, count in part.left_out.items())
            raise InputError(f"{run.name}: got no rollout of those asked for: {reasons}; in {files}")
        if part.skipped:
            raise InputError(f"{run.name}: got no rollout that can be used; {next(iter(part.first.values()))}")
        raise InputError(f"{run.name}: got no rollouts, expected at least one line; {files} has none")


def _whole(run: Run, part: _Part, buckets_in_order: Sequence[str]) -> Gathered:
    found = {bucket for bucket, _ in part.names}
    buckets = [name for name in buckets_in_order if name in found]
    stages = run.stage_order([stage for _, stage in part.names if stage])
    bucket_numbers = np.array([buckets.index(bucket) for bucket, _ in part.names], dtype=np.uint16)
    stage_numbers = np.array([stages.index(s) if s else len(stages) for _, s in part.names], dtype=np.uint16)
    pieces = []
    for file, cells in part.files:
        rows = read_rows([file])
        if len(rows):
            cell = np.array(cells)[rows["bucket"]]
            rows["bucket"], rows["stage"] = bucket_numbers[cell], stage_numbers[cell]
        pieces.append(rows)
        file.unlink()
    rows = merged(np.concatenate(pieces), by_stage=True)
    skipped = {reason: (count, part.first[reason]) for reason, count in part.skipped.most_common()}
    cells_by_name = dict(zip(part.names, part.cells, strict=True))
    return Gathered(
        run, buckets, stages, cells_by_name, rows, part.lines, part.responses, skipped, part.left_out, part.unknown
    )


def _easiest_first(runs: Sequence[Run], parts: Sequence[_Part]) -> list[str]:
    """All buckets, as the runs order them. Those that no run knows come after, the ones that pass most often first."""
    known = dict.fromkeys(name for run in runs for name in run.buckets)
    others = {bucket for part in parts for bucket, _ in part.names} - known.keys()
    if not others:
        return list(known)
    passed: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    for part in parts:
        for file, cells in part.files:
            rows = read_rows([file])
            for number, cell in enumerate(cells):
                own = rows[rows["bucket"] == number]
                passed[part.names[cell][0]] += int(sums(own, "passed").sum())
                tried[part.names[cell][0]] += int(own["responses"].sum())
    return [*known, *sorted(others, key=lambda name: (name == NO_BUCKET, -passed[name] / max(1, tried[name]), name))]
