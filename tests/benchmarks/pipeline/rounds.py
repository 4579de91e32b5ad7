"""The whole measurement: data, references to verify by, then all contenders in interleaved rounds."""

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from measuring import Progress, run_rounds, spreads

from . import contenders as work
from .contenders import GROWING, WRITING, Contender
from .data import generate
from .goals import find_goals
from .processes import Work, ours, run
from .report import Measured, Results
from .verify import BucketCheck
from .verify_parquet import ParquetCheck

TASKS = ("bucketing", "preprocessing")
GIGABYTES_NEEDED = 6 / 100_000  # a row: the input, our buckets, the output of one contender, and parquet


def measure(rows: int, rounds: int, cold: bool, without: Collection[str], folder: Path, progress: Progress) -> Results:
    """Everything that the report shows; `folder` must be empty, and is again at the end."""
    needed, free = GIGABYTES_NEEDED * rows, shutil.disk_usage(folder).free / 1e9
    if free < needed:
        raise RuntimeError(f"{folder}: has {free:.1f} GB free, expected {needed:.1f}; see --folder and --rows")
    try:
        return _measure(rows, rounds, cold, without, folder, progress)
    finally:
        for entry in folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _measure(rows: int, rounds: int, cold: bool, without: Collection[str], folder: Path, progress: Progress) -> Results:
    progress(f"making {rows:,} rows and what is verified by")
    taking_part = _contenders(rows, cold, folder)
    skipped = [missing for _, one in taking_part if (missing := one.work.missing())]
    skipped += [f"{one.work.name}: left out, as asked" for _, one in taking_part if one.work.name in without]
    turns = {
        f"{task}: {one.work.name}": one.turn
        for task, one in taking_part
        if one.work.missing() is None and one.work.name not in without
    }
    times = spreads(run_rounds(turns, rounds, progress))
    measured: dict[str, dict[str, Measured]] = {task: {} for task in TASKS}
    for task, one in taking_part:
        figures = times.get(f"{task}: {one.work.name}")
        if figures is not None:
            measured[task][one.work.name] = Measured(figures, one.found)
    bucketing, preprocessing = ({name: one.figures for name, one in measured[task].items()} for task in TASKS)
    goals = find_goals(bucketing, preprocessing, rows)
    size = (folder / "rollouts.jsonl").stat().st_size
    told = list(dict.fromkeys(skipped))  # a name may stand in both tasks
    return Results(rows, size, rounds, cold, measured["bucketing"], measured["preprocessing"], told, goals)


def _contenders(rows: int, cold: bool, folder: Path) -> list[tuple[str, Contender]]:
    """All of them, with the task of each; what they read is made here."""
    source, quarter = folder / "rollouts.jsonl", folder / "quarter.jsonl"
    generate(source, rows)
    generate(quarter, rows // 4)
    buckets, parquet, target = folder / "buckets", folder / "parquet", folder / "contender"
    run(Work("our buckets", ours(work.BUCKET, "--no-report")), source, buckets)
    run(Work("our parquet", ours(work.PREPROCESS)), buckets, parquet)
    same_buckets, same_parquet = BucketCheck(source, rows, buckets), ParquetCheck(parquet)
    bucket_files = tuple(sorted(buckets.glob("*.jsonl")))

    def contender(entry: Work, given: Path, inputs: tuple[Path, ...], check: Callable[[Path], str]) -> Contender:
        return Contender(entry, given, inputs, target, check if entry.verified else None, cold)

    return [
        *(("bucketing", contender(entry, source, (source,), same_buckets)) for entry in work.BUCKETING),
        ("bucketing", contender(GROWING, quarter, (quarter,), same_buckets)),
        *(("preprocessing", contender(entry, buckets, bucket_files, same_parquet)) for entry in work.PREPROCESSING),
        ("preprocessing", contender(WRITING, parquet, tuple(parquet.glob("*.parquet")), same_parquet)),
    ]
