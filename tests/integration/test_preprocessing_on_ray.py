"""The same preprocessing as tasks of a real Ray cluster: rows and order are those of a single process."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from preprocessing.made_up_buckets import dump, rollout, write_buckets

from curriculum_verl.errors import InputError
from curriculum_verl.manifest import Manifest, check_files, read_manifest, read_prompts
from curriculum_verl.parallel import runner
from curriculum_verl.preprocessing.run import preprocess
from curriculum_verl.preprocessing.settings import Settings

# A metric that kills its own process, once, if that is a worker of the cluster.
KILLER = """
import os, pathlib, signal

def metric(scores, settings):
    mark = pathlib.Path({mark!r})
    if os.getpid() != {driver} and not mark.exists():
        mark.write_text("killed")
        os.kill(os.getpid(), signal.SIGKILL)
    return sum(scores)

metric.direction = "high_is_easy"
"""


@pytest.fixture
def source(tmp_path: Path, user_code: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three buckets in many chunks, by a metric that kills a worker."""
    import os

    name = f"deadly_{tmp_path.name}"  # workers live longer than a test, and keep what they have imported
    (user_code / f"{name}.py").write_text(KILLER.format(mark=str(tmp_path / "killed"), driver=os.getpid()))
    monkeypatch.syspath_prepend(user_code)
    lines = {
        "easy": [rollout(n, [1.0, 1.0]) for n in range(60)],
        "medium": [
            *(rollout(n) for n in range(100, 130)),
            rollout(131, prompt=5),
            *(dump("2+2?", n / 4) for n in range(5)),
        ],
        "hard": [rollout(n, [0.0, 0.25]) for n in range(200, 230)],
    }
    return write_buckets(tmp_path / "bucketed", lines, metric=f"{name}:metric", chunk=3000)


def made(source: Path, out: Path, ray_address: str | None, **settings: Any) -> dict[str, Manifest]:
    with runner(ray_address=ray_address) as running:
        done = preprocess(source, out, Settings(on_invalid="reject", **settings), running)
    return {target.manifest: read_manifest(out / target.manifest) for target, _ in done.made}


def rows(folder: Path, files: list[str]) -> pa.Table:
    return pa.concat_tables([pq.read_table(folder / name) for name in files]).combine_chunks()


@pytest.mark.parametrize(
    "settings", [{}, {"combine": True}, {"cumulative": True}], ids=["separate", "combined", "cumulative"]
)
def test_a_cluster_whose_worker_is_killed_makes_the_same_rows(tmp_path, cluster, source, settings):
    alone = made(source, tmp_path / "alone", None, **settings)
    assert not (tmp_path / "killed").exists()
    together = made(source, tmp_path / "together", "", **settings)
    assert (tmp_path / "killed").exists(), "no worker was killed"
    assert alone.keys() == together.keys()
    for name, one in alone.items():
        other = together[name]
        check_files(other, tmp_path / "together", hashes=True)
        assert len(other.train_files) > len(one.train_files)
        for stem in {file.rsplit("-", 3)[0] for file in other.train_files}:
            parts = [file for file in other.train_files if file.startswith(f"{stem}-")]
            assert parts == [f"{stem}-{n:05d}-of-{len(parts):05d}.parquet" for n in range(len(parts))]
        for files in ("train_files", "validation_files"):
            tables = [rows(tmp_path / folder, getattr(m, files)) for folder, m in (("alone", one), ("together", other))]
            assert tables[0].equals(tables[1])
        assert one.ids_hash == other.ids_hash
        assert one.prompts == other.prompts
        assert one.removed == other.removed
        assert (read_prompts(one, tmp_path / "alone") == read_prompts(other, tmp_path / "together")).all()
        for bucket in other.buckets:
            stages = rows(tmp_path / "together", bucket.train)["extra_info"].to_pylist()
            assert {row["curriculum_stage"] for row in stages} == {bucket.name}
            assert len(stages) == bucket.prompts
    for path in (tmp_path / "alone").glob("*rejects.jsonl"):
        assert path.read_bytes() == (tmp_path / "together" / path.name).read_bytes()
        assert json.loads(path.read_text())["line"] == 31
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_overwrite_removes_the_parts_of_an_older_run(tmp_path, cluster, source):
    made(source, tmp_path / "out", "")
    with runner() as running:
        preprocess(source, tmp_path / "out", Settings(on_invalid="reject"), running, overwrite=True)
    assert not list((tmp_path / "out").glob("*-of-*"))
    check_files(read_manifest(tmp_path / "out" / "manifest.json"), tmp_path / "out", hashes=True)


def test_a_bad_line_is_told_as_in_a_single_process(tmp_path, cluster, source):
    with runner(ray_address="") as running, pytest.raises(InputError, match=r"medium\.jsonl:31: "):
        preprocess(source, tmp_path / "out", Settings(), running)
    assert not (tmp_path / "out").exists()
