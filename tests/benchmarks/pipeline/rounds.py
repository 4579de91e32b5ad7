"""The whole measurement: data, references to verify by, then all contenders in interleaved rounds."""

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from measuring import Progress, run_rounds, spreads

from . import contenders as work
from .contenders import WRITING, Contender, growing
from .data import generate, generate_short
from .goals import find_goals
from .processes import Work, ours, run
from .report import Measured, Results
from .verify import BucketCheck
from .verify_parquet import ParquetCheck

TASKS = ("bucketing", "growth", "preprocessing")
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
    figures = {task: {name: one.figures for name, one in of.items()} for task, of in measured.items()}
    growth = {count: figures["growth"][entry.name] for count, entry in growing(rows).items()}
    goals = find_goals(figures["bucketing"], growth, figures["preprocessing"], rows)
    size = (folder / "rollouts.jsonl").stat().st_size
    told = list(dict.fromkeys(skipped))  # a name may stand in both tasks
    return Results(rows, size, rounds, cold, measured, told, goals)


def _contenders(rows: int, cold: bool, folder: Path) -> list[tuple[str, Contender]]:
    """All of them, with the task of each; what they read is made here."""
    source, short = folder / "rollouts.jsonl", {count: folder / f"short-{count}.jsonl" for count in growing(rows)}
    generate(source, rows)
    for count, path in short.items():
        generate_short(path, count)
    buckets, parquet, target = folder / "buckets", folder / "parquet", folder / "contender"
    run(Work("our buckets", ours(work.BUCKET, "--no-report")), source, buckets)
    run(Work("our parquet", ours(work.PREPROCESS)), buckets, parquet)
    same_buckets, same_parquet = BucketCheck(source, rows, buckets), ParquetCheck(parquet)
    bucket_files = tuple(sorted(buckets.glob("*.jsonl")))

    def contender(entry: Work, given: Path, inputs: tuple[Path, ...], check: Callable[[Path], str]) -> Contender:
        return Contender(entry, given, inputs, target, check if entry.verified else None, cold)

    return [
        *(("bucketing", contender(entry, source, (source,), same_buckets)) for entry in work.BUCKETING),
        *(("growth", contender(it, short[n], (short[n],), same_buckets)) for n, it in growing(rows).items()),
        *(("preprocessing", contender(entry, buckets, bucket_files, same_parquet)) for entry in work.PREPROCESSING),
        ("preprocessing", contender(WRITING, parquet, tuple(parquet.glob("*.parquet")), same_parquet)),
    ]
