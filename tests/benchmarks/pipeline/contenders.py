"""Who takes part, in bucketing and in preprocessing."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .processes import Work, ours, run, script, settle

BUCKET, PREPROCESS = "bucket_rollouts_by_difficulty", "preprocess_bucketed_rollouts"
CAT, COPY = "cat FILE > /dev/null", "cat FILE > COPY"
OURS, DRY_RUN, TWO = "ours, --no-report", "ours, --dry-run", "ours, --no-report --workers 2"
OURS_PARQUET, WRITE = "ours", "parquet write alone, from memory"

BUCKETING = (
    Work(CAT, ("cat", "{source}"), verified=False),
    Work(COPY, ("cat", "{source}"), stdout="{target}/copy", verified=False),
    Work(OURS, ours(BUCKET, "--no-report")),
    Work("ours, with report", ours(BUCKET)),
    Work(DRY_RUN, ours(BUCKET, "--dry-run"), verified=False),
    Work(TWO, ours(BUCKET, "--no-report", "--workers", "2")),
    Work("json.loads script", script("bucket_json")),
    Work("polars", script("bucket_polars"), needs="polars"),
    Work("duckdb", script("bucket_duckdb"), needs="duckdb"),
    Work("pandas", script("bucket_pandas"), needs="pandas"),
)
PREPROCESSING = (
    Work(OURS_PARQUET, ours(PREPROCESS)),
    Work("json.loads script", script("preprocess_json")),
    Work("json.loads script with pandas", script("preprocess_pandas"), needs="pandas"),
    Work("polars", script("preprocess_polars"), needs="polars"),
    Work("duckdb", script("preprocess_duckdb"), needs="duckdb"),
)
WRITING = Work(WRITE, script("write_parquet"), verified=False, timed_inside=True)
MANY = 10  # short rows for every long one: over fewer, buffers that fill up hide what a row takes
NEEDED = (CAT, COPY, OURS, DRY_RUN, OURS_PARQUET)  # by tables and goals
OPTIONAL = tuple(dict.fromkeys(work.name for work in (*BUCKETING, *PREPROCESSING) if work.name not in NEEDED))


def growing(rows: int) -> dict[int, Work]:
    """Over a quarter of the short rows and over all of them, by how many that is."""
    return {
        count: Work(f"ours, --no-report, {count:,} short rows", ours(BUCKET, "--no-report"), verified=False)
        for count in (MANY * rows // 4, MANY * rows)
    }


Verify = Callable[[Path], str]


@dataclass(slots=True)
class Contender:
    """Takes turns in a folder that is removed after each; `found` says what the verification of the first found."""

    work: Work
    source: Path
    inputs: tuple[Path, ...]
    target: Path
    verify: Verify | None
    cold: bool
    found: str = ""

    def turn(self) -> dict[str, float]:
        """Seconds, processor seconds and peak bytes."""
        self.target.mkdir()
        try:
            settle(self.inputs, self.cold)
            figures = run(self.work, self.source, self.target)
            if self.verify is not None and not self.found:
                self.found = self.verify(self.target)
        finally:
            shutil.rmtree(self.target)
        return figures
