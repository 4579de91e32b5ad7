"""A command is run again when, and only when, something that decides its output has changed."""

import json
import os
import shutil
from pathlib import Path

import pytest

from curriculum_verl.commands import rerun

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "examples" / "rollouts", tmp_path / "rollouts")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bucket(capsys: pytest.CaptureFixture[str], *more: str, force: bool = False) -> str:
    return said(capsys, force, "b.json", "bucket", "-i", "rollouts", "-o", "bucketed", "--no-report", *more)


def preprocess(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    return said(capsys, False, "p.json", "preprocess", "-i", "bucketed", "-o", "data", *more)


def said(capsys: pytest.CaptureFixture[str], force: bool, *arguments: str) -> str:
    """What is said to be done, and why."""
    assert rerun.main([*["--force"] * force, *arguments]) == 0
    return capsys.readouterr().out.splitlines()[0].partition(": ")[2]


def test_options_inputs_and_version_decide(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bucket(capsys) == "bucket, not done yet"
    assert bucket(capsys) == "up to date"
    assert bucket(capsys, "--workers", "1") == "up to date"
    assert bucket(capsys, "-n", "2", "--split-degenerate") == "bucket, other options: num_buckets, split_degenerate"
    assert bucket(capsys) == "bucket, other options: num_buckets, split_degenerate"
    assert bucket(capsys, force=True) == "bucket, --force"
    shutil.copy("rollouts/arithmetic.jsonl", "more.jsonl")
    assert bucket(capsys, "-i", "rollouts", "more.jsonl", "--on-duplicate", "first").endswith("options: on_duplicate")
    monkeypatch.setattr(rerun, "__version__", "99")
    assert bucket(capsys).endswith("this is 99")


def test_the_content_of_an_input_counts_whatever_its_size_and_time_say(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket(capsys)
    rollouts = folder / "rollouts" / "arithmetic.jsonl"
    before = rollouts.stat()
    rollouts.write_text("".join(reversed(rollouts.read_text().splitlines(keepends=True))))
    os.utime(rollouts, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert rollouts.stat().st_size == before.st_size
    assert bucket(capsys) == f"bucket, changed input: {rollouts}"


def test_the_order_of_the_inputs_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy("rollouts/arithmetic.jsonl", "more.jsonl")
    either_way = ("rollouts", "more.jsonl", "--on-duplicate", "first")
    bucket(capsys, "-i", *either_way)
    assert bucket(capsys, "-i", "more.jsonl", "rollouts", *either_way[2:]) == "bucket, the input in another order"


def test_a_metric_of_ones_own_is_an_input(
    folder: Path, capsys: pytest.CaptureFixture[str], user_module, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "def spread(scores, settings):\n    return max(scores) - min(scores)\nspread.direction = 'low_is_easy'\n"
    name = user_module("metric_that_changes", source)
    bucket(capsys, "-n", "2", "-m", f"{name}:spread")
    assert bucket(capsys, "-n", "2", "-m", f"{name}:spread") == "up to date"
    user_module("metric_that_changes", f"{source}# changed\n")
    assert bucket(capsys, "-n", "2", "-m", f"{name}:spread").endswith("metric_that_changes.py")


def test_new_buckets_need_new_data_and_the_same_ones_do_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bucket(capsys)
    (folder / "exam.jsonl").write_text('{"question": "What is 0 + 0?"}\n')
    assert preprocess(capsys, "--benchmark", "exam.jsonl") == "preprocess, not done yet"
    bucket(capsys, "--min-responses", "8")
    assert preprocess(capsys, "--benchmark", "exam.jsonl") == "up to date"
    (folder / "exam.jsonl").write_text('{"question": "What is 0 + 1?"}\n')
    assert preprocess(capsys, "--benchmark", "exam.jsonl").endswith("exam.jsonl")
    bucket(capsys, "-n", "2")
    assert preprocess(capsys, "--benchmark", "exam.jsonl").startswith("preprocess, changed input: ")


def test_output_that_was_touched_is_made_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bucket(capsys)
    preprocess(capsys)
    (folder / "data" / "notes.txt").write_text("mine")
    assert preprocess(capsys) == "up to date"
    (folder / "data" / "easy_train.parquet").unlink()
    (folder / "data" / "manifest.json").write_text("{}")
    lost = preprocess(capsys)
    assert lost.startswith("preprocess, not as the last run left it: ")
    assert {"easy_train.parquet", "manifest.json"} == set(lost.partition(": ")[2].split(", "))
    assert (folder / "data" / "notes.txt").read_text() == "mine"


def test_files_that_only_the_last_run_made_are_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for count in ("4", "2"):
        bucket(capsys, "-n", count)
        preprocess(capsys)
    manifest = json.loads((folder / "data" / "manifest.json").read_text())
    assert {file["path"] for file in manifest["files"]} == {file.name for file in (folder / "data").glob("*.parquet")}


def test_a_run_that_fails_leaves_the_stamp_and_the_output_as_they_were(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket(capsys)
    before = (folder / "b.json").read_bytes()
    assert rerun.main(["b.json", "bucket", "-i", "rollouts", "-o", "bucketed", "-n", "50"]) == 1
    assert "too few for 50 buckets" in capsys.readouterr().err
    assert (folder / "b.json").read_bytes() == before
    assert rerun.main(["b.json", "bucket", "-i", "nowhere", "-o", "bucketed"]) == 1
    assert "nowhere: got no rollouts" in capsys.readouterr().err
    assert bucket(capsys, "--no-report") == "up to date"


@pytest.mark.parametrize("content", ["", "[]", '{"package": 1}'])
def test_a_stamp_that_cannot_be_read_is_none(folder: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    bucket(capsys)
    (folder / "b.json").write_text(content)
    assert bucket(capsys) == "bucket, not done yet"


def test_arguments_can_be_looked_at_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rerun.main(["--parse", "b.json", "bucket", "-i", "nowhere", "-o", "bucketed"]) == 0
    with pytest.raises(SystemExit):
        rerun.main(["--parse", "b.json", "bucket", "--nonsense"])
    assert not (folder / "bucketed").exists()
