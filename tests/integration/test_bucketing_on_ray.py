"""The same bucketing as tasks of a real Ray cluster: a worker is killed, and the result is that of a single process."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_up_rollouts import dump_lines, lines_of, of_every_kind, rollout, rows_of, solved, write

from curriculum_verl.bucketing import facts, scan, writing
from curriculum_verl.bucketing.manifest import BucketManifest, read_bucket_manifest
from curriculum_verl.bucketing.run import bucket_rollouts
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.errors import InputError
from curriculum_verl.parallel import InProcess, runner
from curriculum_verl.preprocessing.run import preprocess
from curriculum_verl.preprocessing.settings import Settings as DataSettings

# A metric that kills its own process, once, if that is a worker of the cluster.
KILLER = """
import os, pathlib, signal
from curriculum_verl.difficulty import mean_reward

def metric(scores, settings):
    mark = pathlib.Path({mark!r})
    if os.getpid() != {driver} and not mark.exists():
        mark.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return mean_reward(scores, settings)

metric.direction = "high_is_easy"
"""


@pytest.fixture
def killer(tmp_path: Path, user_code: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """The metric's name, and the file that says which process it has killed."""
    import os

    mark = tmp_path / "killed"
    (user_code / "killer.py").write_text(KILLER.format(mark=str(mark), driver=os.getpid()))
    monkeypatch.syspath_prepend(user_code)
    return "killer:metric", mark


def bucketed(folder: Path, ray_address: str | None, **settings: object) -> BucketManifest:
    with runner(ray_address=ray_address) as running:
        bucket_rollouts([folder / "in"], folder / f"out{ray_address}", Settings(**settings), running, report=False)  # type: ignore[arg-type]
    return read_bucket_manifest(folder / f"out{ray_address}")


def content(folder: Path, manifest: BucketManifest) -> dict[str, list[bytes]]:
    return {b.name: [line for file in b.files for line in lines_of(folder / file.path)] for b in manifest.buckets}


def test_a_killed_worker_changes_nothing(tmp_path, cluster, killer, monkeypatch):
    monkeypatch.setattr(scan, "HASH_BLOCK", 20_000)  # a task for each file
    monkeypatch.setattr(facts, "MOST_ROWS", 40)  # many orders
    monkeypatch.setattr(writing, "SHARD_BLOCKS", 3)
    metric, mark = killer
    write(tmp_path / "in" / "a.jsonl", [*of_every_kind(400), b"no rollout"])
    write(tmp_path / "in" / "b.jsonl.gz", [rollout(n, solved(n % 5)) for n in range(1000, 1100)])
    write(tmp_path / "in" / "c.jsonl", dump_lines(30, 4, steps=2))
    settings = {"metric": metric, "on_invalid": "reject", "tie_break": "variance", "split_degenerate": True}
    alone = bucketed(tmp_path, None, **settings)
    assert not mark.exists()
    together = bucketed(tmp_path, "", **settings)
    assert mark.exists(), "no worker was killed"
    assert content(tmp_path / "out", together) == content(tmp_path / "outNone", alone)
    assert rows_of(tmp_path / "out/rejects.jsonl") == rows_of(tmp_path / "outNone/rejects.jsonl")
    assert max(len(bucket.files) for bucket in together.buckets) > 1
    for one, other in zip(alone.buckets, together.buckets, strict=True):
        assert (one.name, one.prompts, one.ids_hash, one.mean_score) == (
            other.name,
            other.prompts,
            other.ids_hash,
            other.mean_score,
        )
    assert (alone.cuts, alone.inputs, alone.ids_hash) == (together.cuts, together.inputs, together.ids_hash)


def test_a_mistake_in_the_data_is_told_as_in_a_single_process(tmp_path, cluster):
    write(tmp_path / "in" / "a.jsonl", [*of_every_kind(20), b"no rollout"])
    with pytest.raises(InputError, match=r"a\.jsonl:21: is not JSON"):
        bucketed(tmp_path, "")
    assert not (tmp_path / "out").exists()


def test_shards_go_on_to_training_data_like_a_single_file(tmp_path, cluster, monkeypatch):
    monkeypatch.setattr(scan, "HASH_BLOCK", 20_000)
    monkeypatch.setattr(facts, "MOST_ROWS", 40)
    monkeypatch.setattr(writing, "SHARD_BLOCKS", 2)
    write(tmp_path / "in" / "a.jsonl", of_every_kind(300))
    write(tmp_path / "in" / "b.jsonl", [rollout(n, solved(n % 5)) for n in range(1000, 1200)])
    assert max(len(bucket.files) for bucket in bucketed(tmp_path, "").buckets) > 1
    bucketed(tmp_path, None)
    for name in ("out", "outNone"):
        preprocess(tmp_path / name, tmp_path / f"data-{name}", DataSettings(), InProcess())
    for path in (tmp_path / "data-out").glob("*.parquet"):
        assert pq.read_table(path) == pq.read_table(tmp_path / "data-outNone" / path.name)
    indexes = [
        row["extra_info"]["index"]
        for path in (tmp_path / "data-out").glob("*.parquet")
        for row in pq.read_table(path).to_pylist()
    ]
    assert sorted(indexes) == list(range(500))
