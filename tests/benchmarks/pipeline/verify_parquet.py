"""Whether a contender's parquet says the same as ours of every prompt, ground truth, best response and difficulty."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

SHOWN = 3
SAME = "same prompts, ground truths, best responses and difficulties"
PARTS = ("prompt", "ground truth", "best response", "difficulty", "stage")
BATCH = 1_000


class ParquetCheck:
    """Compares a folder of parquet files with a reference folder made of the same buckets."""

    def __init__(self, reference: Path):
        self._expected = {}
        for row_id, told in _rows(reference):
            self._expected[row_id] = tuple(map(_small, told))

    def __call__(self, folder: Path) -> str:
        """In words: the same, or how many rows differ, how many in what, and which."""
        missing = set(self._expected)
        differ: dict[str, set[str]] = {}
        for row_id, told in _rows(folder):
            expected = self._expected.get(row_id, ())
            found = tuple(map(_small, told))
            differences = {_named(part, a, b) for part, a, b in zip(PARTS, expected, found, strict=False) if a != b}
            if row_id not in missing or not expected:
                differences = {"twice or unknown"}
            missing.discard(row_id)
            if differences:
                differ.setdefault(row_id, set()).update(differences)
        if not differ and not missing:
            return SAME
        kinds: dict[str, list[str]] = {}
        for row_id, what in [*differ.items(), *((row_id, {"missing"}) for row_id in sorted(missing))]:
            kinds.setdefault(", ".join(sorted(what)), []).append(row_id)
        told = [f"{len(ids):,} {what}: {', '.join(ids[:SHOWN])}" for what, ids in sorted(kinds.items())]
        return f"DIFFERENT: {len(differ) + len(missing):,} of {len(self._expected):,} rows ({'; '.join(told)})"


def _named(part: str, a: Any, b: Any) -> str:
    """The part that differs; a number that was only rounded otherwise is called so."""
    rounded = isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-12)
    return f"{part} in its last digit" if rounded else part


def _small(value: Any) -> Any:
    """A value that takes little memory and is equal where the value is."""
    return value if isinstance(value, float) else hash(repr(value))


def _rows(folder: Path) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH, columns=["prompt", "reward_model", "extra_info"]):
                for row in batch.to_pylist():
                    extra = row["extra_info"]
                    best = extra["best_response"]
                    prompt = [(message["role"], message["content"]) for message in row["prompt"]]
                    truth = row["reward_model"]["ground_truth"]
                    told = (prompt, truth, (best["content"], best["score"]))
                    yield extra["id"], (*told, extra["difficulty"], extra["curriculum_stage"])
