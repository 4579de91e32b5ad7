import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curriculum_verl.errors import InputError
from curriculum_verl.evaluation.prompts import read_buckets
from curriculum_verl.generation.data import Data
from curriculum_verl.generation.tasks import Task
from curriculum_verl.manifest import read_manifest


def lines(path: Path, *ids: str) -> str:
    path.write_text("".join(json.dumps({"id": i, "prompt": f"ask {i}", "ground_truth": "1"}) + "\n" for i in ids))
    return str(path)


def test_a_manifest_names_buckets_in_their_order(data: Path) -> None:
    found = read_buckets(Data((str(data),), sides="all"))
    assert found.buckets == ["easy", "medium", "hard"]
    assert found.sizes == {"easy": 30, "medium": 30, "hard": 30}
    assert read_buckets(Data((str(data.parent),), sides="val")).sizes == {
        bucket.name: bucket.validation_prompts for bucket in read_manifest(data).buckets
    }


def test_rows_know_their_bucket_without_a_manifest(data: Path) -> None:
    found = read_buckets(Data((str(data.parent / "hard_val.parquet"), str(data.parent / "easy_val.parquet"))))
    assert found.buckets == ["hard", "easy"], "the order in which they come"


def test_in_a_combined_file_the_row_says_its_bucket(data: Path, tmp_path: Path) -> None:
    rows = [row for name in ("easy", "hard") for row in pq.read_table(data.parent / f"{name}_val.parquet").to_pylist()]
    count = {name: sum(r["extra_info"]["curriculum_stage"] == name for r in rows) for name in ("easy", "hard")}
    import pyarrow as pa

    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "both.parquet")
    buckets = [{"name": name, "prompts": 0, "validation": ["both.parquet"]} for name in ("hard", "easy")]
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"version": 1, "ids_hash": "", "buckets": buckets}))
    found = read_buckets(Data((str(manifest),), sides="val"))
    assert (found.buckets, found.sizes) == (["hard", "easy"], {"hard": count["hard"], "easy": count["easy"]})
    manifest.write_text(manifest.read_text().replace('"hard"', '"other"').replace('"easy"', '"more"'))
    with pytest.raises(InputError, match=r"both\.parquet:1: got curriculum_stage 'easy', expected one of other, more"):
        read_buckets(Data((str(manifest),), sides="val"))


def test_a_field_of_the_row_may_name_the_bucket_and_the_user_their_order(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows = [{"id": str(n), "prompt": "ask", "level": level} for n, level in enumerate(["hard", "easy", "hard"])]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = Data((str(path),))
    assert read_buckets(data, "level").sizes == {"hard": 2, "easy": 1}
    assert read_buckets(data, "level", ["easy", "medium", "hard"]).sizes == {"easy": 1, "hard": 2}
    with pytest.raises(
        InputError, match=r"x\.jsonl:2: unknown bucket 'easy', expected one of eesy, hard; did you mean"
    ):
        read_buckets(data, "level", ["eesy", "hard"])
    with pytest.raises(InputError, match=r"x\.jsonl:1: has no text in 'levl'"):
        read_buckets(data, "levl")


def test_a_file_and_a_task_are_buckets_by_their_names(tmp_path: Path) -> None:
    files = (lines(tmp_path / "b.jsonl", "1", "2"), lines(tmp_path / "a.jsonl", "3"))
    assert read_buckets(Data(files)).sizes == {"b": 2, "a": 1}
    pytest.importorskip("reasoning_gym")
    tasks = (Task("chain_sum", 2, level=0), Task("chain_sum", 3, level=1))
    assert read_buckets(Data(tasks=tasks)).sizes == {"chain_sum/level-0": 2, "chain_sum/level-1": 3}
