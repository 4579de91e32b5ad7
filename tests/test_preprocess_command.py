"""`curriculum-verl preprocess` and its script as a user meets them: flags, words, exit codes, interruptions."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from preprocessing.made_up_buckets import dump, rollout, write_buckets

from curriculum_verl import cli
from curriculum_verl.manifest import check_files, read_manifest, read_prompts
from curriculum_verl.outputs import work_folder

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "bucketing" / "preprocess_bucketed_rollouts.py"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    lines = {
        "easy": [rollout(n, [1.0, 1.0, 0.0, 1.0]) for n in range(40)],
        "hard": [rollout(n, [0.0, 0.0, 0.25, 0.0]) for n in range(200, 220)],
    }
    return write_buckets(tmp_path / "bucketed", lines, chunk=2000)


@pytest.fixture
def run(tmp_path, source, capsys):
    """Runs the command on `source`; returns exit code, what it printed, and its complaints."""

    def run(*flags: object, out: str = "out") -> tuple[int, str, str]:
        code = cli.main(["preprocess", "-i", str(source), "-o", str(tmp_path / out), *map(str, flags)])
        return code, *capsys.readouterr()

    return run


def table(tmp_path, name):
    return pq.read_table(tmp_path / "out" / f"{name}.parquet").to_pylist()


def test_it_says_what_it_did(run, tmp_path):
    code, out, err = run("--filter", "best_only", "--seed", "4", "--train-val-split", "0.8")
    assert code == 0
    assert err == ""
    assert "60 prompts (" in out
    assert " kB/s" in out or " MB/s" in out
    assert f"manifest: {tmp_path / 'out' / 'manifest.json'}" in out
    manifest = read_manifest(tmp_path / "out" / "manifest.json")
    for bucket, total in zip(manifest.buckets, (40, 20), strict=True):
        [line] = [line.split() for line in out.splitlines() if line.startswith(f"{bucket.name} ")]
        assert line == [bucket.name, str(total), "0", str(bucket.prompts), str(bucket.validation_prompts)]
    for file in manifest.files:
        assert f"{file.path}: {file.rows} rows" in out
    assert "all" in out


def test_every_flag_reaches_the_data(run, tmp_path):
    (tmp_path / "system.txt").write_text("Be\nshort.\n")
    (tmp_path / "eval.jsonl").write_text(json.dumps({"question": "What is 3 plus 3?"}) + "\n")
    flags = ["--buckets", "easy", "--combine", "--output-name", "x", "--data-source", "d", "--ability", "a"]
    flags += ["--filter", "passing_only", "--pass-threshold", "0.75", "--no-val-split", "--seed", "9"]
    flags += ["--system-prompt", tmp_path / "system.txt", "--instruction", "Box it.", "--on-invalid", "reject"]
    flags += ["--benchmark", tmp_path / "eval.jsonl", "--on-benchmark", "drop"]
    code, out, _ = run(*flags)
    assert code == 0
    rows = table(tmp_path, "x_train")
    assert len(rows) == 39
    assert rows[0]["data_source"] == "d"
    assert rows[0]["ability"] == "a"
    assert rows[0]["prompt"] == [
        {"role": "system", "content": "Be\nshort."},
        {"role": "user", "content": "What is 0 plus 0?\n\nBox it."},
    ]
    assert "removed 1: benchmark" in out
    assert "found 1 prompt of an evaluation set" in out
    assert "no validation files for x.manifest.json: --no-val-split" in out
    settings = read_manifest(tmp_path / "out" / "x.manifest.json").settings
    assert settings == {
        "buckets": ["easy"],
        "combine": True,
        "output_name": "x",
        "cumulative": False,
        "data_source": "d",
        "filter": "passing_only",
        "pass_threshold": 0.75,
        "train_val_split": None,
        "seed": 9,
        "ability": "a",
        "system_prompt": "Be\nshort.",
        "instruction": "Box it.",
        "benchmark": [str(tmp_path / "eval.jsonl")],
        "on_benchmark": "drop",
        "on_invalid": "reject",
    }


def test_the_manifest_tells_all_of_the_data(run, tmp_path, source):
    run()
    folder = tmp_path / "out"
    manifest = read_manifest(folder / "manifest.json")
    bucketing = json.loads((source / "manifest.json").read_text())
    assert manifest.kind == "data"
    assert manifest.package
    assert manifest.parent.path == str(source)
    assert manifest.parent.ids_hash == bucketing["ids_hash"]
    assert manifest.parent.metric == bucketing["metric"]
    check_files(manifest, folder, hashes=True)
    rows = [row["extra_info"] for name in manifest.train_files for row in pq.read_table(folder / name).to_pylist()]
    known = read_prompts(manifest, folder)
    assert known["difficulty"].tolist() == [row["difficulty"] for row in rows]
    assert known["pass_rate"].tolist() == [row["difficulty_metrics"]["success_rate"] for row in rows]
    assert len({bucket.ids_hash for bucket in manifest.buckets} | {manifest.ids_hash}) == 3


def test_the_ids_hash_follows_the_training_prompts(run, tmp_path):
    hashes = []
    for number, flags in enumerate([[], ["--instruction", "Box it."], ["--seed", "1"], ["--buckets", "easy"]]):
        run(*flags, out=f"out{number}")
        hashes.append(read_manifest(tmp_path / f"out{number}" / "manifest.json").ids_hash)
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_the_files_hash_follows_every_text_and_no_place_or_time(run, tmp_path, source):
    def of(buckets, out, *flags):
        cli.main(["preprocess", "-i", str(buckets), "-o", str(tmp_path / out), *flags])
        return read_manifest(tmp_path / out / "manifest.json").files_hash

    first = of(source, "first")
    moved = Path(shutil.copytree(source, tmp_path / "elsewhere" / "bucketed"))
    assert of(moved, "elsewhere/second") == first
    assert of(source, "third", "--instruction", "Box it.") != first


def test_a_missing_validation_file_has_a_reason(tmp_path, run):
    few = write_buckets(tmp_path / "few", {"a": [rollout(n) for n in range(30)], "b": [rollout(99)]})
    flags = ["-i", str(few), "--seed", "1"]
    code, out, _ = run(*flags)
    assert code == 0
    assert (tmp_path / "out" / "a_val.parquet").exists()
    assert "no b_val.parquet for b: nothing of 1 prompt fell into the 10 % for validation" in out
    code, out, _ = run(*flags, "--combine")
    assert "no prompt of b in combined_val.parquet: nothing of 1 prompt fell" in out


def test_what_is_worth_a_look_is_said(tmp_path, run):
    lines = [rollout(n, ground_truth=...) for n in range(9)] + [
        dump("2+2?", 1.0),
        dump("2+2?", 0.0),
        rollout(20, prompt=5),
    ]
    other = write_buckets(tmp_path / "other", {"a": lines})
    code, out, _ = run("-i", other, "--no-val-split", "--on-invalid", "reject")
    assert code == 0
    assert "warning: no ground truth in 9 prompts;" in out
    assert "warning: 1 prompt out of verl's rollout dumps" in out
    assert "removed 1: rejected: wrong_type" in out
    assert "rejects.jsonl: the lines that could not be used" in out
    assert "11 prompts of 12 lines" in out


@pytest.mark.parametrize("formats", [("rollouts",), ("verl dump",), ("rollouts", "verl dump")])
def test_the_same_question_in_two_formats_is_warned_of(tmp_path, run, formats):
    other = write_buckets(tmp_path / "other", {"a": [dump("2+2?", 1.0)]}, formats=formats)
    _, out, _ = run("-i", other, "--no-val-split")
    assert ("nor is the same question in another format" in out) is (len(formats) == 2)


def test_it_says_where_a_text_came_from(run, tmp_path):
    (tmp_path / "sys.txt").write_bytes(b"\xef\xbb\xbfBe\nshort.\n")
    _, out, _ = run("--system-prompt", tmp_path / "sys.txt", "--instruction", "Yes/No")
    assert f"system prompt: 9 characters, from {tmp_path / 'sys.txt'}\n" in out
    assert "instruction: 6 characters, as given\n" in out
    [message, question] = table(tmp_path, "easy_train")[0]["prompt"]
    assert message == {"role": "system", "content": "Be\nshort."}, "without a byte order mark"
    assert question["content"].endswith("\n\nYes/No")


@pytest.mark.parametrize("text", ["/no_think", "Yes/No", "and/or", "Write to a.txt\nor b.txt", "a.text", "1.5"])
def test_these_are_texts(run, tmp_path, text):
    assert run("--instruction", text)[0] == 0
    assert table(tmp_path, "easy_train")[0]["prompt"][-1]["content"].endswith(f"\n\n{text}")


@pytest.mark.parametrize("name", ["none.txt", "prompts/none.MD", "my prompt.jinja", "x.prompt"])
def test_these_are_names_of_files(run, capsys, name):
    with pytest.raises(SystemExit):
        run("--system-prompt", name)
    assert f"there is no file {name}, and it does not look like a text" in capsys.readouterr().err


def test_what_only_the_run_before_had_made_is_removed(tmp_path, run):
    run()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    run("--combine")
    _, out, _ = run("--overwrite", "--buckets", "easy")
    assert "removed what only the run before had made: " in out
    assert "hard_train.parquet" in out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert not {name for name in names if name.startswith("hard")}
    assert {"notes.txt", "easy_train.parquet", "combined_train.parquet", "combined.manifest.json"} <= names


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--cumulative", "--combine"], "--cumulative: combines by itself"),
        (["--cumulative", "--output-name", "x"], "--cumulative: combines by itself"),
        (["--output-name", "x"], "--output-name: needs --combine"),
        (["--on-benchmark", "drop"], "--on-benchmark: needs --benchmark"),
        (["--train-val-split", "1"], "got '1', expected a number above 0 and below 1; see --no-val-split"),
        (["--train-val-split", "0"], "expected a number above 0"),
        (["--train-val-split", "nan"], "expected a number above 0"),
        (["--train-val-split", "0.8", "--no-val-split"], "not allowed with"),
        (["--pass-threshold", "inf"], "got 'inf', expected a finite number"),
        (["--seed", "-1"], "got '-1', expected a whole number from 0"),
        (["--workers", "0"], "got '0', expected a whole number of at least 1"),
        (["--workers", "2", "--ray"], "argument --ray: not allowed with argument --workers"),
        (["--filter", "best"], "invalid choice"),
        (["--system-prompt", "prompts/none.txt"], "there is no file prompts/none.txt"),
        (["--instruction", " "], "got no text"),
    ],
)
def test_a_command_line_that_makes_no_sense(run, tmp_path, capsys, flags, message):
    with pytest.raises(SystemExit) as end:
        run(*flags)
    assert end.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_text(run, tmp_path, capsys):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(SystemExit):
        run("--system-prompt", tmp_path / "bytes")
    assert "cannot be read as text" in capsys.readouterr().err


def test_a_long_text_is_no_file_name(run, tmp_path):
    assert run("--instruction", "word " * 2000)[0] == 0
    assert run("--system-prompt", "x" * 5000, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--buckets", "esy"], "unknown bucket 'esy'"),
        (["--filter", "passing_only"], "bucket hard: nothing is left of 20 prompts"),
        (["--benchmark", "none.jsonl"], "--benchmark: none.jsonl"),
        (["-i", "nowhere"], "nowhere/manifest.json: cannot be read"),
        (["-o", str(SCRIPT)], "is a file, expected a folder"),
    ],
)
def test_an_error_is_a_message_and_exit_code_1(run, tmp_path, flags, message):
    code, out, err = run(*flags)
    assert code == 1
    assert out == ""
    assert err.startswith("curriculum-verl preprocess: ")
    assert message in err
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bucketed"]


def test_workers_change_nothing(run, tmp_path):
    assert run(out="one")[0] == 0
    assert run("--workers", "2", out="two")[0] == 0
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two").iterdir())
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def launch(*arguments: object, **options) -> subprocess.Popen:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_the_script_runs_from_a_checkout_that_is_not_installed(tmp_path, source):
    for part in ("curriculum_verl", "bucketing"):
        shutil.copytree(ROOT / part, tmp_path / "checkout" / part, ignore=shutil.ignore_patterns("__pycache__"))
    script = tmp_path / "checkout" / "bucketing" / SCRIPT.name
    probe = (
        "import runpy, sys\n"
        f"sys.path[:] = [p for p in sys.path if not p.startswith({str(ROOT)!r}) or 'site-packages' in p]\n"
        f"sys.argv = [{str(script)!r}, '-i', {str(source)!r}, '-o', {str(tmp_path / 'out')!r}]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally: print(sys.modules['curriculum_verl'].__file__)"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "checkout" / "curriculum_verl") in done.stdout
    assert (tmp_path / "out" / "manifest.json").exists()


def test_the_script_has_help_and_names_itself(tmp_path, source):
    out, err = (done := launch("--help")).communicate()
    assert done.returncode == 0
    assert "usage: preprocess_bucketed_rollouts.py" in out
    assert "preprocess_bucketed_rollouts.py -i bucketed -o preprocessed" in out.split("examples:")[1]
    out, err = (done := launch("-i", tmp_path / "none", "-o", tmp_path / "out")).communicate()
    assert done.returncode == 1
    assert err.startswith("preprocess_bucketed_rollouts.py: ")
    assert "Traceback" not in err


def test_help_imports_nothing_heavy():
    probe = (
        "import sys; from curriculum_verl.commands import preprocess\n"
        "try: preprocess.main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'numpy', 'pyarrow', 'msgspec', 'ray', 'tqdm', 'xxhash'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """Some megabytes in many chunks: work enough to be interrupted in."""
    folder = tmp_path_factory.mktemp("large")
    words = " ".join(f"word{n}" for n in range(150))
    easy = [rollout(n, [1.0, 0.0] * 4, ground_truth=f"{words} {n}") for n in range(2500)]
    hard = [rollout(n, [0.0, 0.5] * 4, ground_truth=f"{words} {n}") for n in range(9000, 10500)]
    return write_buckets(folder / "bucketed", {"easy": easy, "hard": hard}, chunk=1 << 18)


def finished(source: Path, out: Path, *flags: object) -> float:
    begin = time.monotonic()
    running = launch("-i", source, "-o", out, *flags)
    assert running.wait() == 0, running.stderr.read()
    running.communicate()
    return time.monotonic() - begin


def test_a_run_that_is_killed_leaves_no_manifest_that_lies(tmp_path, large):
    """Whatever manifest stands there afterwards describes the files beside it; the next run is not hindered."""
    chance = random.Random(0)
    out = tmp_path / "out"
    seconds = finished(large, out)
    for number in range(20):
        flags = ["--overwrite", "--seed", number, "--cumulative"][: 3 if number % 2 else 4]
        running = launch("-i", large, "-o", tmp_path / ("out" if number < 16 else f"new{number}"), *flags)
        try:
            running.communicate(timeout=chance.uniform(0.1, seconds * 1.2))
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()
        for path in tmp_path.glob("*/*manifest.json"):
            if path.parent.name.startswith("."):
                continue
            manifest = read_manifest(path)
            check_files(manifest, path.parent, hashes=True)
            assert len(read_prompts(manifest, path.parent)) == sum(manifest.sizes.values())
    finished(large, out, "--overwrite")
    assert not (tmp_path / ".out.partial").exists()


@pytest.mark.parametrize("flags", [[], ["--workers", "2"]])
def test_ctrl_c_leaves_nothing(tmp_path, large, flags):
    # A job in a shell's background would pass on that it ignores Ctrl-C.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    running = launch("-i", large, "-o", tmp_path / "out", *flags, start_new_session=True, **heard)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".out.partial/made/*")):
        assert time.monotonic() < deadline
        assert running.poll() is None, running.stderr.read()
    os.killpg(running.pid, signal.SIGINT)
    _, err = running.communicate()
    assert running.returncode == 130
    assert err.strip().endswith("interrupted")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_two_runs_do_not_write_to_the_same_folder_at_once(run, tmp_path):
    with work_folder(tmp_path / "out"):
        code, _, err = run("--combine")
    assert code == 1
    assert "another run is writing there" in err
    assert run("--combine")[0] == 0


def test_what_another_run_has_written_meanwhile_is_seen(run, tmp_path, monkeypatch):
    """The folder is looked at when no other run can write there any more."""

    @contextmanager
    def late(folder):
        with work_folder(folder) as work:
            folder.mkdir()
            (folder / "manifest.json").write_text("{}")
            yield work

    monkeypatch.setattr("curriculum_verl.preprocessing.run.work_folder", late)
    code, _, err = run()
    assert code == 1
    assert "holds manifest.json; choose another" in err


@pytest.mark.parametrize("kilobytes", [8, 24, 40])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, source, kilobytes):
    small = tmp_path / "small"
    small.mkdir()
    size = ["-o", f"size={kilobytes}k"]
    if subprocess.run(["mount", "-t", "tmpfs", *size, "none", str(small)], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        command = [sys.executable, SCRIPT, "-i", source, "-o", small / "out"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1, done.stdout
        assert "the disk is full" in done.stderr
        assert "Traceback" not in done.stderr
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
