"""`score-trajectories` as users call it: what comes out, and what every trap of the input ends in."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_rollouts import lines_of, rows_of, write
from trajectories.made_up_trajectories import cota

from curriculum_verl.bucketing import facts, scan
from curriculum_verl.bucketing.manifest import read_bucket_manifest
from curriculum_verl.commands import score_trajectories
from curriculum_verl.commands.running import run
from curriculum_verl.errors import InputError
from curriculum_verl.rollouts import lines
from curriculum_verl.trajectories.manifest import read_trajectory_manifest

ROOT = Path(__file__).parent.parent
ADDED = ["messages", "difficulty_score", "difficulty_factors", "difficulty_trap", "difficulty"]
NAMES = ("simple", "medium", "hard")


@pytest.fixture
def score(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        code = run("score", score_trajectories.main, [str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    return command


def of_every_length(count=60):
    return [cota(number, 1 + number * 7 % count) for number in range(count)]


def test_one_file_in_the_order_of_the_input_with_labels_by_score(tmp_path, score):
    rows = of_every_length()
    write(tmp_path / "in" / "a.jsonl", rows)
    code, out, _ = score("-i", "in", "-o", "out")
    written = rows_of(tmp_path / "out/trajectories.jsonl")
    assert code == 0
    assert [{key: row[key] for key in row if key not in ADDED} for row in written] == rows
    assert all([*row][-5:] == ADDED for row in written)
    ranges = {name: [row["difficulty_score"] for row in written if row["difficulty"] == name] for name in NAMES}
    assert [len(scores) for scores in ranges.values()] == [20, 20, 20]
    assert max(ranges["simple"]) < min(ranges["medium"]) <= max(ranges["medium"]) < min(ranges["hard"])
    lengths = sorted(written, key=lambda row: row["difficulty_score"])
    assert [len(row["trajectory"]) for row in lengths] == [*range(1, 61)]
    assert "60 prompts in 3 buckets by difficulty_score" in out
    assert {"manifest.json", "report.png", "rejects.jsonl"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_split_files_hold_the_same_lines_and_the_manifest_describes_them(tmp_path, score):
    write(tmp_path / "a.jsonl", [*of_every_length(), cota(99, 1, trap=True)])
    assert score("-i", "a.jsonl", "-o", "one")[0] == 0
    assert score("-i", "a.jsonl", "-o", "split", "--split-by-category")[0] == 0
    one = rows_of(tmp_path / "one/trajectories.jsonl")
    manifest = read_trajectory_manifest(tmp_path / "split")
    assert [bucket.name for bucket in manifest.buckets] == [*NAMES]
    for bucket in manifest.buckets:
        mine = rows_of(tmp_path / "split" / f"{bucket.name}.jsonl")
        assert mine == [row for row in one if row["difficulty"] == bucket.name]
        scores = [row["difficulty_score"] for row in mine]
        assert (bucket.prompts, bucket.score_min, bucket.score_max) == (len(mine), min(scores), max(scores))
        for name, mean in bucket.factors.items():
            assert mean == pytest.approx(sum(row["difficulty_factors"][name] for row in mine) / len(mine))
    assert [bucket.traps for bucket in manifest.buckets] == [0, 0, 1], "short as it is, a trap is hard"
    assert manifest.ids_hash == read_trajectory_manifest(tmp_path / "one").ids_hash
    (tmp_path / "split/hard.jsonl").write_bytes(b"")
    with pytest.raises(InputError, match="got 0 bytes"):
        read_trajectory_manifest(tmp_path / "split")
    with pytest.raises(InputError, match="not the manifest of a bucket folder"):
        read_bucket_manifest(tmp_path / "split")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"])
def test_every_kind_of_file_gives_the_same(tmp_path, score, name):
    rows = of_every_length(12)
    write(tmp_path / "plain.jsonl", rows)
    if name == "a.json":
        (tmp_path / name).write_text(json.dumps(rows, indent=2))
    else:
        write(tmp_path / name, rows)
    assert score("-i", "plain.jsonl", "-o", "plain")[0] == 0
    assert score("-i", name, "-o", "other")[0] == 0
    assert rows_of(tmp_path / "other/trajectories.jsonl") == rows_of(tmp_path / "plain/trajectories.jsonl")


@pytest.mark.parametrize("split", [[], ["--split-by-category"]])
def test_many_tasks_and_workers_write_the_same_bytes(tmp_path, score, monkeypatch, split):
    write(tmp_path / "a.jsonl", of_every_length())
    write(tmp_path / "b.parquet", [cota(number, 5 + number % 3) for number in range(100, 130)])
    assert score("-i", "a.jsonl", "b.parquet", "-o", "whole", *split)[0] == 0
    assert score("-i", "a.jsonl", "b.parquet", "-o", "workers", "--workers", 2, *split)[0] == 0
    for module in (facts, lines, scan):
        monkeypatch.setattr(module, "HASH_BLOCK", 3_000)
    assert score("-i", "a.jsonl", "b.parquet", "-o", "tasks", *split)[0] == 0
    for path in (tmp_path / "whole").glob("*.jsonl"):
        for other in ("workers", "tasks"):
            assert (tmp_path / other / path.name).read_bytes() == path.read_bytes()


def test_bad_lines_stop_the_run_or_are_rejected_with_their_place(tmp_path, score):
    bad = [b"{not json", b'{"prompt": "nothing"}', b'{"trajectory": "\xff"}', b'{"trajectory": "x", "trap": [1]}']
    write(tmp_path / "a.jsonl", [*of_every_length(12), b"", *bad])
    code, _, err = score("-i", "a.jsonl", "-o", "out")
    assert code == 1
    assert "a.jsonl:14: is not JSON" in err
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"], "nothing is left behind"
    code, out, _ = score("-i", "a.jsonl", "-o", "out", "--on-invalid", "reject")
    assert code == 0
    rejects = rows_of(tmp_path / "out/rejects.jsonl")
    assert [(row["line"], row["reason"]) for row in rejects] == [
        (14, "not_json"),
        (15, "no_trajectory"),
        (16, "not_utf8"),
        (17, "wrong_type"),
    ]
    assert "17 lines read, 1 blank, 4 rejected" in out


def test_an_element_of_an_array_is_told_by_its_number(tmp_path, score):
    (tmp_path / "a.json").write_text(json.dumps([*of_every_length(12), {"trajectory": 7}], indent=1))
    code, _, err = score("-i", "a.json", "-o", "out")
    assert code == 1
    assert "a.json:13: Expected" in err


def test_rejected_traps_are_no_error(tmp_path, score):
    write(tmp_path / "a.jsonl", [*of_every_length(12), cota(50, 3, sample_type="trap")])
    (tmp_path / "c.yaml").write_text("difficulty: {traps: {action: reject}}")
    assert score("-i", "a.jsonl", "-o", "out", "-c", "c.yaml")[0] == 0
    assert [row["reason"] for row in rows_of(tmp_path / "out/rejects.jsonl")] == ["trap"]
    assert len(lines_of(tmp_path / "out/trajectories.jsonl")) == 12


def test_an_id_that_stands_twice_is_an_error_or_the_first_counts(tmp_path, score):
    write(tmp_path / "a.jsonl", [*of_every_length(12), cota(3, 9)])
    code, _, err = score("-i", "a.jsonl", "-o", "out")
    assert code == 1
    assert "a.jsonl:13: id 'q3' stands in an earlier line as well" in err
    assert "--on-duplicate first keeps" in err
    assert "merge" not in err
    assert score("-i", "a.jsonl", "-o", "out", "--on-duplicate", "first")[0] == 0
    assert [row["reason"] for row in rows_of(tmp_path / "out/rejects.jsonl")] == ["duplicate"]


def test_equal_scores_stay_together(tmp_path, score):
    write(tmp_path / "a.jsonl", [cota(number, 1 + (number > 6) + (number > 7)) for number in range(10)])
    _, out, _ = score("-i", "a.jsonl", "-o", "out")
    written = rows_of(tmp_path / "out/trajectories.jsonl")
    assert [row["difficulty"] for row in written] == ["simple"] * 7 + ["medium"] + ["hard"] * 2
    assert "simple holds 70% of the prompts" in out
    assert "--tie-break" not in out


def test_thresholds_cut_where_they_say(tmp_path, score):
    write(tmp_path / "a.jsonl", of_every_length())
    assert score("-i", "a.jsonl", "-o", "out", "--thresholds", 0.4, "--bucket-names", "low", "high")[0] == 0
    for row in rows_of(tmp_path / "out/trajectories.jsonl"):
        assert row["difficulty"] == ("low" if row["difficulty_score"] < 0.4 else "high")
    assert read_trajectory_manifest(tmp_path / "out").cuts == [0.4]


def test_a_second_run_replaces_the_first_and_only_that(tmp_path, score):
    write(tmp_path / "a.jsonl", of_every_length(12))
    assert score("-i", "a.jsonl", "-o", "out", "--split-by-category")[0] == 0
    (tmp_path / "out/notes.txt").write_text("mine")
    assert "--overwrite" in score("-i", "a.jsonl", "-o", "out")[2]
    assert score("-i", "a.jsonl", "-o", "out", "--overwrite")[0] == 0
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"trajectories.jsonl", "manifest.json", "rejects.jsonl", "report.png", "notes.txt"}
    (tmp_path / "out/manifest.json").write_text('{"kind": "buckets"}')
    code, _, err = score("-i", "a.jsonl", "-o", "out", "--overwrite")
    assert code == 1
    assert "holds a manifest of kind 'buckets'" in err


def test_a_dry_run_writes_nothing_and_a_bad_config_is_told_in_full(tmp_path, score):
    write(tmp_path / "a.jsonl", of_every_length(12))
    (tmp_path / "c.yaml").write_text("difficulty: {weights: {task_typ: 1}, traps: {floor: 1}}")
    code, out, _ = score("-i", "a.jsonl", "-o", "out", "--dry-run")
    assert code == 0
    assert "a dry run: nothing was written" in out
    code, _, err = score("-i", "a.jsonl", "-o", "out", "-c", "c.yaml")
    assert code == 1
    assert "2 problems" in err
    assert not (tmp_path / "out").exists()


def test_the_script_is_the_command(tmp_path):
    write(tmp_path / "a.jsonl", of_every_length(12))
    script = ROOT / "bucketing" / "score_trajectory_difficulty.py"
    done = subprocess.run(
        [sys.executable, script, "-i", "a.jsonl", "-o", "out"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "12 samples scored" in done.stdout
    assert len(lines_of(tmp_path / "out/trajectories.jsonl")) == 12
