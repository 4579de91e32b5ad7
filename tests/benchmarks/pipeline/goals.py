"""The goals that were set for bucketing and preprocessing, and whether a run met them."""

from collections.abc import Mapping

from measuring import Spread
from report import Goal

from .contenders import CAT, COPY, DRY_RUN, OURS, OURS_PARQUET, WRITE

MOST_COPIES = 2.5
MOST_READS_AND_WRITES = 2.0
MOST_BASE_MB = 150.0
MOST_BYTES = 16.0
MOST_PREPROCESS_MB = 400.0
MB = 1e6

Figures = Mapping[str, Mapping[str, Spread]]


def find_goals(
    bucketing: Figures, growth: Mapping[int, Mapping[str, Spread]], preprocessing: Figures, rows: int
) -> list[Goal]:
    """Every goal; ratios are those of medians. `growth` is what bucketing takes over few rows and over many."""
    found = []
    for what, kind in (("seconds", "seconds"), ("cpu_seconds", "processor seconds")):
        time = bucketing[OURS][what].median
        copy = time / bucketing[COPY][what].median
        note = f"{time / bucketing[CAT][what].median:.1f} x {CAT}"
        found.append(Goal(f"bucketing in one process, {kind}: times {COPY}", OURS, copy, MOST_COPIES, True, "x", note))
    (few, part), (many, whole) = ((count, figures["peak_bytes"]) for count, figures in growth.items())
    more = many - few
    each, low, high = (
        (whole.median - part.median) / more,
        (whole.min - part.max) / more,
        (whole.max - part.min) / more,
    )
    open_ = f"the rounds allow {low:.1f} to {high:.1f}" if low <= MOST_BYTES < high else ""
    note = f"{part.median / MB:.1f} MB for {few:,} short rows, {whole.median / MB:.1f} MB for {many:,}"
    goal = "memory of bucketing: growth with the rollouts"
    found.append(Goal(goal, OURS, each, MOST_BYTES, True, unit="B/rollout", note=note, undecided=open_))
    base = (bucketing[OURS]["peak_bytes"].median - MOST_BYTES * rows) / MB
    goal = f"memory of bucketing: base, without {MOST_BYTES:g} bytes a rollout"
    found.append(Goal(goal, OURS, base, MOST_BASE_MB, True, unit="MB", note="interpreter and imports included"))
    for what, kind in (("seconds", "seconds"), ("cpu_seconds", "processor seconds")):
        read, write = bucketing[DRY_RUN][what].median, preprocessing[WRITE][what].median
        ratio = preprocessing[OURS_PARQUET][what].median / (read + write)
        goal = f"preprocessing in one process, {kind}: times bucketing's dry run and the parquet write"
        note = f"{read:.2f} s and {write:.2f} s"
        found.append(Goal(goal, OURS_PARQUET, ratio, MOST_READS_AND_WRITES, True, "x", note))
    peak = preprocessing[OURS_PARQUET]["peak_bytes"].median / MB
    return [*found, Goal("memory of preprocessing", OURS_PARQUET, peak, MOST_PREPROCESS_MB, True, unit="MB")]
