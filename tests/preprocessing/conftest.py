"""Fixtures for the tests of preprocessing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from preprocessing.made_up_buckets import rollout, write_buckets

from curriculum_verl.manifest import Manifest, read_manifest
from curriculum_verl.parallel import InProcess
from curriculum_verl.preprocessing.run import preprocess
from curriculum_verl.preprocessing.settings import Settings

Rows = list[dict[str, Any]]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A bucket folder of 40 easy, 30 medium and 20 hard prompts in chunks of about 2,000 bytes."""
    lines = {
        "easy": [rollout(n, [1.0, 1.0, 0.0, 1.0]) for n in range(40)],
        "medium": [rollout(n, [1.0, 0.0, 0.0, 1.0]) for n in range(100, 130)],
        "hard": [rollout(n, [0.0, 0.0, 0.25, 0.0]) for n in range(200, 220)],
    }
    return write_buckets(tmp_path / "bucketed", lines, chunk=2000)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Manifest]:
    """Preprocesses a bucket folder into tmp_path/out; returns the (first) manifest."""

    def run(source: Path, out: str = "out", *, overwrite: bool = False, **settings: Any) -> Manifest:
        result = preprocess(source, tmp_path / out, Settings(**settings), InProcess(), overwrite=overwrite)
        return read_manifest(tmp_path / out / result.made[0][0].manifest)

    return run


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Rows]:
    """The rows of a parquet file of tmp_path/out, by the name without ending; none if there is no such file."""

    def read(name: str, out: str = "out") -> Rows:
        path = tmp_path / out / f"{name}.parquet"
        return pq.read_table(path).to_pylist() if path.exists() else []

    return read
