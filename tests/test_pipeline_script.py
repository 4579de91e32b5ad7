"""The pipeline script: what is done is not done again, what changed is, and no interruption leaves a wrong result."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "recipes" / "run_curriculum_pipeline.sh"
PATIENCE = 60  # seconds until a run that is to be stopped must have got to work
# A metric that hangs where a pipe asks for it, so that a run can be stopped in its middle.
METRIC = """
import signal
from pathlib import Path

def score(scores, settings):
    if (pipe := Path("pipe")).exists():
        pipe.write_text("here")
        signal.pause()
    return sum(scores)

score.direction = "high_is_easy"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


def lay_out(parent: Path) -> Path:
    """A folder with rollouts and a metric; its name has blanks in it, as have those of the rollouts."""
    folder = parent / "a folder with blanks"
    folder.mkdir()
    shutil.copytree(ROOT / "examples" / "rollouts", folder / "my rollouts")
    (folder / "metric.py").write_text(METRIC)
    return folder


def start(folder: Path, *arguments: str, output: str = "my output") -> subprocess.Popen[str]:
    command = [SCRIPT, "-i", "my rollouts", "-o", output, "--no-report", "-m", "metric:score", *arguments]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, *arguments: str, output: str = "my output", code: int = 0) -> str:
    with start(folder, *arguments, output=output) as running:
        out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == code, out + err
    assert "Traceback" not in err
    return out + err


def steps(said: str) -> dict[str, str]:
    """What the script says of each folder."""
    found = (line[3:].split(": ", 1) for line in said.splitlines() if line.startswith("== "))
    return {Path(name).name: words for name, words in found}


def rows(folder: Path, output: str = "my output") -> int:
    data = folder / output / "preprocessed"
    manifest = json.loads((data / "manifest.json").read_text())
    assert {file["path"] for file in manifest["files"]} == {file.name for file in data.glob("*.parquet")}
    return sum(pq.read_metadata(data / file["path"]).num_rows for file in manifest["files"])


@contextmanager
def in_the_middle(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A run that has got to work and hangs there."""
    os.mkfifo(folder / "pipe")
    pipe = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    running = start(folder, *arguments)
    assert select.select([pipe], [], [], PATIENCE)[0], "it never got to work"
    children = psutil.Process(running.pid).children(recursive=True)
    try:
        yield running
    finally:
        for process in [running, *children]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        os.close(pipe)
        (folder / "pipe").unlink()


def states(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_ctime_ns for path in (folder / "my output").rglob("*")}


def test_a_second_run_skips_every_step_and_one_with_other_input_does_them_again(folder: Path) -> None:
    first = run(folder, "--cumulative", "--", "--seed", "3")
    assert steps(first).keys() == {"bucketed", "preprocessed", "cumulative"}
    assert all("not done yet" in words for words in steps(first).values())
    assert rows(folder) == 60
    assert (folder / "my output" / "cumulative" / "easy+medium+hard.manifest.json").is_file()
    before = states(folder)
    second = run(folder, "--cumulative", "--workers", "2", "--", "--seed", "3")
    assert steps(second) == dict.fromkeys(steps(first), "up to date")
    assert states(folder) == before
    rollouts = folder / "my rollouts" / "arithmetic.jsonl"
    rollouts.write_text("".join(rollouts.read_text().splitlines(keepends=True)[:50]))
    third = run(folder, "--", "--seed", "3")
    assert steps(third)["bucketed"] == f"bucket, changed input: {rollouts}"
    assert steps(third)["preprocessed"].startswith("preprocess, changed input: ")
    assert "cumulative is of an earlier run" in third
    assert rows(folder) == 50


def test_a_run_that_was_killed_is_done_again_and_whole(folder: Path) -> None:
    with in_the_middle(folder) as running:
        for process in [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]:
            process.kill()
        running.communicate()
    assert running.returncode == -signal.SIGKILL
    assert (folder / "my output" / ".bucketed.partial").is_dir(), "it was in its middle"
    assert not (folder / "my output" / "bucketed").exists()
    assert "not done yet" in steps(run(folder))["bucketed"]
    assert rows(folder) == 60
    assert sorted(entry.name for entry in (folder / "my output").iterdir()) == [".pipeline", "bucketed", "preprocessed"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run has made."""
    folder = lay_out(tmp_path_factory.mktemp("done"))
    run(folder)
    return folder


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_step_and_leaves_what_was_there(
    done: Path, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    folder = shutil.copytree(done, tmp_path / "copy")
    before = states(folder)
    with in_the_middle(folder, "-n", "2") as running:
        children = psutil.Process(running.pid).children(recursive=True)
        assert (folder / "my output" / ".bucketed.partial").is_dir()
        running.send_signal(sent)
        _, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == code
    assert f"stopped by {sent.name}" in err
    assert "Traceback" not in err
    assert children
    assert not any(child.is_running() for child in children)
    assert states(folder) == before


def test_a_step_that_fails_ends_the_run_and_the_next_goes_on_there(folder: Path) -> None:
    said = run(folder, "--", "--buckets", "esy", code=1)
    assert "did you mean 'easy'?" in said
    assert "stopped at my output/preprocessed" in said
    assert not (folder / "my output" / "preprocessed").exists()
    assert steps(run(folder))["bucketed"] == "up to date"
    assert "got no rollouts" in run(folder, "-i", "nothing here", code=1)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--", "--fliter", "all"], 2, "unrecognized arguments: --fliter"),
        (["--num-bukets", "3"], 2, "unrecognized arguments: --num-bukets"),
        (["--dry-run"], 2, "run curriculum-verl bucket by itself"),
        (["--", "--input", "x"], 2, "this script sets it"),
        (["--cumulative", "--", "--combine"], 2, "not with --cumulative"),
        (["-o"], 2, "got no -o FOLDER"),
        (["--output=my rollouts"], 1, "holds what this script has not made"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_done(
    folder: Path, arguments: list[str], code: int, words: str
) -> None:
    assert words in run(folder, *arguments, code=code)
    assert not (folder / "my output" / "bucketed").exists()
    assert [entry.name for entry in (folder / "my rollouts").iterdir()] == ["arithmetic.jsonl"]


def test_it_says_what_it_does_and_which_python_it_lacks(tmp_path: Path) -> None:
    helped = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert helped.stdout.startswith("usage: run_curriculum_pipeline.sh")
    bare = os.environ | {"PYTHON": str(tmp_path / "no-python")}
    lacking = subprocess.run([SCRIPT, "-i", "x", "-o", "y"], capture_output=True, text=True, cwd=tmp_path, env=bare)
    assert lacking.returncode == 1
    assert "no Python has curriculum_verl" in lacking.stderr


@pytest.mark.parametrize("name", ["a link.sh", "a copy.sh"])
def test_it_works_by_a_link_and_without_a_checkout(folder: Path, name: str) -> None:
    if "link" in name:
        (folder / name).symlink_to(SCRIPT)
    else:
        shutil.copy(SCRIPT, folder / name)
    command = ["bash", name, "-i", "my rollouts", "-omy output", "--no-report"]
    bare = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(command, cwd=folder, env=bare, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert rows(folder) == 60


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    found = subprocess.run(["shellcheck", SCRIPT], capture_output=True, text=True)
    assert not found.stdout
