"""The benchmark of bucketing and preprocessing: it runs, its tables are complete, and no difference is hidden."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 200
HERE = Path(__file__).parent
ONE_ROW_ASIDE = """
import runpy, sys
from pathlib import Path
sys.path.insert(0, str(Path({script!r}).parent))
runpy.run_path({script!r}, run_name="__main__")
easy, hard = (Path(sys.argv[2]) / f"{{name}}.jsonl" for name in ("easy", "hard"))
first, *rest = easy.read_bytes().splitlines(keepends=True)
easy.write_bytes(b"".join(rest))
hard.write_bytes(hard.read_bytes() + first)
"""


def test_a_small_run_is_complete_verified_and_tells_of_a_row_in_the_wrong_bucket(load, tmp_path, capsys, monkeypatch):
    contenders, processes = load("pipeline.contenders"), load("pipeline.processes")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(ONE_ROW_ASIDE.format(script=str(HERE / "pipeline" / "scripts" / "bucket_json.py")))
    command = ("{python}", str(wrong), "{source}", "{target}")
    works = (
        *contenders.BUCKETING,
        processes.Work("one row aside", command),
        processes.Work("of another planet", command, needs="no_such_module"),
    )
    monkeypatch.setattr(contenders, "BUCKETING", works)
    path, files = tmp_path / "new" / "bench.json", tmp_path / "files"
    files.mkdir()
    asked = ["--rows", str(ROWS), "--rounds", "1", "--folder", str(files), "--json", str(path)]
    assert load("bench_pipeline").main(asked) == 0

    assert not list(files.iterdir())
    written = json.loads(path.read_text(encoding="utf-8"))
    entries = {(entry["task"], entry["contender"]): entry for entry in written["results"]}
    growing = {work.name for work in contenders.growing(ROWS).values()}
    expected = {("bucketing", work.name) for work in works} | {("growth", name) for name in growing}
    expected |= {("preprocessing", work.name) for work in (*contenders.PREPROCESSING, contenders.WRITING)}
    installed = {work.name for work in (*works, *contenders.PREPROCESSING) if work.missing() is None}
    always = growing | {contenders.WRITE}
    assert entries.keys() == {(task, name) for task, name in expected if name in installed | always}
    assert any(line.startswith("of another planet: skipped, no_such_module") for line in written["skipped"])
    for entry in written["results"]:
        assert 0 < entry["seconds"]["min"] <= entry["seconds"]["median"] <= entry["seconds"]["max"]
        assert entry["contender"] == contenders.WRITE or entry["peak_bytes"]["median"] > 1e6

    same = "same prompts in the same buckets; lines unchanged"
    exact = (contenders.OURS, "ours, with report", contenders.TWO, "json.loads script")
    assert all(entries["bucketing", name]["verified"] == same for name in exact)
    found = entries["bucketing", "one row aside"]["verified"]
    assert found.startswith(f"DIFFERENT: 1 of {ROWS} prompts in other buckets (row ")
    assert "in hard for easy" in found
    assert entries["preprocessing", contenders.OURS_PARQUET]["verified"].startswith("same prompts, ground truths")

    printed = capsys.readouterr().out
    assert all(f"\n| {name} |" in printed for _, name in entries if "cat" not in name)
    assert "of another planet: skipped" in printed
    assert f"{sum(goal['met'] for goal in written['goals'])} of {len(written['goals'])} met" in printed
    assert len(written["goals"]) == 7


def test_data_is_the_same_for_the_same_rows_and_awkward(load, tmp_path):
    data = load("pipeline.data")
    data.generate(tmp_path / "few", 50)
    data.generate(tmp_path / "many", 200)
    few, many = (tmp_path / "few").read_bytes(), (tmp_path / "many").read_bytes()
    assert many.startswith(few)
    rows = [json.loads(line) for line in many.decode().split("\n")[:-1]]
    assert 12_000 < len(many) / len(rows) < 16_000
    assert [row["id"] for row in rows] == [data.row_id(number) for number in range(200)]
    assert all(len(row["reward"]) == len(row["response"]["choices"]) == 8 for row in rows)
    texts = "".join(choice["message"]["content"] for row in rows for choice in row["response"]["choices"])
    assert all(part in texts for part in data.AWKWARD)
    data.generate_short(tmp_path / "short", 200)
    short = [json.loads(line) for line in (tmp_path / "short").read_bytes().splitlines()]
    assert [row["id"] for row in short] == [row["id"] for row in rows]
    assert (tmp_path / "short").stat().st_size < 200 * 200


def test_lines_written_anew_or_with_other_values_are_told_apart(load, tmp_path):
    folder, _, check = _buckets(load, tmp_path)
    assert check(folder) == "same prompts in the same buckets; lines unchanged"
    easy = folder / "easy.jsonl"
    rows = [json.loads(line) for line in easy.read_text(encoding="utf-8").split("\n")[:-1]]
    easy.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert check(folder) == "same prompts in the same buckets; lines written anew"
    rows[0]["reward"][0]["score"] += 1e-9
    easy.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert check(folder).endswith("lines written anew, 1 of 200 with other values")
    easy.write_text("".join(json.dumps(row) + "\n" for row in rows[1:]))
    assert "1 of 200 prompts in other buckets" in check(folder)
    assert "in nowhere or twice for easy" in check(folder)


def test_a_reference_that_lost_a_row_is_an_error(load, tmp_path):
    folder, source, _ = _buckets(load, tmp_path)
    easy = folder / "easy.jsonl"
    easy.write_bytes(easy.read_bytes().partition(b"\n")[2])
    with pytest.raises(RuntimeError, match="lack or change lines"):
        load("pipeline.verify").BucketCheck(source, ROWS, folder)


def _buckets(load, tmp_path):
    source, folder = tmp_path / "rollouts.jsonl", tmp_path / "buckets"
    load("pipeline.data").generate(source, ROWS)
    folder.mkdir()
    processes = load("pipeline.processes")
    processes.run(processes.Work("json", processes.script("bucket_json")), source, folder)
    return folder, source, load("pipeline.verify").BucketCheck(source, ROWS, folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "same prompts, ground truths, best responses and difficulties"),
        ({"difficulty": -0.3 * (1 + 1e-15)}, "1 of 2 rows (1 difficulty in its last digit: b)"),
        ({"difficulty": -0.5}, "1 of 2 rows (1 difficulty: b)"),
        ({"best_response": {"content": "other", "score": 1.0}}, "1 of 2 rows (1 best response: b)"),
        ({"id": "a"}, "2 of 2 rows (1 missing: b; 1 twice or unknown: a)"),
    ],
)
def test_parquet_that_says_something_else_is_told(load, tmp_path, change, said):
    reference, other = tmp_path / "reference", tmp_path / "other"
    best = {"content": "yes", "score": 1.0}
    rows = [{"id": name, "difficulty": -0.3, "curriculum_stage": "easy", "best_response": best} for name in "ab"]
    for folder, extra in ((reference, rows), (other, [rows[0], rows[1] | change])):
        folder.mkdir()
        prompt = [[{"role": "user", "content": "1 + 1"}]] * 2
        columns = {"prompt": prompt, "reward_model": [{"ground_truth": "2"}] * 2, "extra_info": extra}
        pq.write_table(pa.table(columns), folder / "x.parquet")
    assert load("pipeline.verify_parquet").ParquetCheck(reference)(other).removeprefix("DIFFERENT: ") == said


def system_of(folder: Path) -> str:
    """The kind of file system that a folder is on."""
    mounts = [mount for mount in psutil.disk_partitions(all=True) if folder.is_relative_to(mount.mountpoint)]
    return max(mounts, key=lambda mount: len(mount.mountpoint)).fstype


def test_cold_input_is_off_the_page_cache_or_that_is_said(load, tmp_path):
    processes = load("pipeline.processes")
    source = tmp_path / "rollouts.jsonl"
    source.write_bytes(b"x" * 100_000)
    in_memory = Path("/dev/shm")
    if not hasattr(os, "RWF_NOWAIT") or not in_memory.is_dir() or system_of(tmp_path) == system_of(in_memory):
        pytest.skip("this system cannot say what is in its page cache, or has no other place for temporary files")
    with source.open("rb") as file:
        processes.settle([source], cold=False)
        assert processes._is_cached(file.fileno())
    processes.settle([source], cold=True)  # looks by itself; to look again could find what the first look has asked for
    (tmp_path / "rejects.jsonl").touch()
    processes.settle([tmp_path / "rejects.jsonl"], cold=True)
    with tempfile.TemporaryDirectory(dir=in_memory) as folder:
        copy = shutil.copy(source, folder)
        with pytest.raises(SystemExit, match=r"rollouts\.jsonl stays in memory; name a --folder that is on a disk"):
            processes.settle([Path(copy)], cold=True)


def test_peak_memory_and_exit_code_are_those_of_the_command_and_its_children(tmp_path):
    launch = [sys.executable, "-I", "-S", str(HERE / "pipeline" / "launch.py"), os.devnull]
    hold = "import time; held = b'x' * 100_000_000; time.sleep(1)"
    twice = f"import subprocess, sys; c = [sys.executable, '-c', {hold!r}]; p = subprocess.Popen(c); {hold}; p.wait()"
    peaks = []
    for code in ("pass", hold, twice):
        done = subprocess.run([*launch, sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks.append(json.loads(done.stdout)["peak_bytes"])
    assert peaks[1] - peaks[0] > 90e6
    if Path(f"/proc/self/task/{os.getpid()}/children").exists():
        assert peaks[2] - peaks[1] > 90e6
    failed = subprocess.run([*launch, sys.executable, "-c", "raise SystemExit(3)"], capture_output=True, check=False)
    assert failed.returncode == 3


def test_a_contender_that_fails_ends_the_run_with_its_message(load, tmp_path):
    processes = load("pipeline.processes")
    work = processes.Work("broken", ("{python}", "-c", "raise SystemExit('no such luck')"))
    with pytest.raises(RuntimeError, match=r"broken: .*exit code 1\n.*no such luck"):
        processes.run(work, tmp_path, tmp_path)


def test_what_the_first_output_was_found_to_be_is_kept(load, tmp_path):
    contenders, processes = load("pipeline.contenders"), load("pipeline.processes")
    found = iter(["seen", "seen again"])
    work = processes.Work("quick", ("true",))
    one = contenders.Contender(work, tmp_path, (), tmp_path / "target", lambda folder: next(found), cold=False)
    assert [one.turn().keys() >= {"seconds", "cpu_seconds", "peak_bytes"} for _ in range(2)] == [True, True]
    assert one.found == "seen"


@pytest.mark.parametrize(
    ("quarter", "whole", "verdict"),
    [
        ((80e6, 80e6, 80e6), (80e6 + 7500, 80e6 + 7500, 80e6 + 7500), "met"),
        ((80e6, 80e6, 80e6), (81e6, 81e6, 81e6), "not met"),
        ((80e6, 79e6, 81e6), (80e6 + 7500, 79e6, 81e6), "not decided"),
    ],
    ids=["one byte a row", "133 bytes a row", "noise"],
)
def test_growth_of_memory_within_the_noise_is_not_decided(load, quarter, whole, verdict):
    contenders, spread = load("pipeline.contenders"), load("measuring").Spread
    one = dict.fromkeys(("seconds", "cpu_seconds", "peak_bytes"), spread(1.0, 1.0, 1.0))
    names = (contenders.CAT, contenders.COPY, contenders.DRY_RUN, contenders.OURS_PARQUET, contenders.WRITE)
    figures = dict.fromkeys(names, one) | {contenders.OURS: one}
    growth = {count: {"peak_bytes": spread(*peak)} for count, peak in ((2500, quarter), (10_000, whole))}
    goals = load("pipeline.goals").find_goals(figures, growth, figures, 10_000)
    [goal] = [goal for goal in goals if "growth" in goal.goal]
    assert ("met" if goal.met else "not decided" if goal.undecided else "not met") == verdict


def test_a_full_disk_is_told_before_the_work(load, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(RuntimeError, match=r"0\.0 GB free, expected 6\.0; see --folder and --rows"):
        load("pipeline.rounds").measure(100_000, 1, False, (), tmp_path, print)


def test_help_has_examples_and_a_wrong_number_is_refused(load, capsys):
    main = load("bench_pipeline").main
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "--cold --without pandas" in capsys.readouterr().out
    for wrong in (["--rows", "99"], ["--rows", "many"], ["--rounds", "0"]):
        with pytest.raises(SystemExit) as stopped:
            main(wrong)
        assert stopped.value.code == 2
        assert "expected a whole number" in capsys.readouterr().err
