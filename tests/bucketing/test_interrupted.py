"""Whatever ends a bucketing early: nothing is left that a later step would take for a result."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

import pytest
from made_up_rollouts import lines_of, of_every_kind, rollout, solved, write

from curriculum_verl.bucketing.manifest import read_bucket_manifest
from curriculum_verl.errors import InputError
from curriculum_verl.rollouts import rollout_files

SCRIPT = Path(__file__).parent.parent.parent / "bucketing" / "bucket_rollouts_by_difficulty.py"


def command(folder: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        str(SCRIPT),
        "-i",
        str(folder / "in"),
        "-o",
        str(folder / "out"),
        "--no-report",
        *more,
    ]


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    write(tmp_path / "in" / "a.jsonl", of_every_kind(6000))
    write(tmp_path / "in" / "b.jsonl.gz", [rollout(n, solved(n % 5)) for n in range(10_000, 13_000)])
    return tmp_path


def finished(folder: Path) -> bool:
    """Whether there is a result; if there is one it must be whole."""
    try:
        manifest = read_bucket_manifest(folder / "out")
    except InputError:
        return False
    found = [line for bucket in manifest.buckets for line in lines_of(folder / "out" / bucket.files[0].path)]
    assert len(found) == len(set(found)) == manifest.lines == 9000
    assert {path.stem for path in rollout_files([folder / "out"])} == {bucket.name for bucket in manifest.buckets}
    return True


def refused(folder: Path) -> bool:
    """Whether a step that takes any folder of rollouts takes no half of this one."""
    try:
        rollout_files([folder / "out"])
    except InputError:
        return True
    return False


def test_killed_at_random_moments(rollouts):
    began = time.monotonic()
    subprocess.run(command(rollouts), check=True, capture_output=True)
    whole = time.monotonic() - began
    assert finished(rollouts)
    moments = random.Random(0)
    outcomes = []
    for number in range(20):
        buckets = str(2 + number % 4)  # other files each time
        process = subprocess.Popen(command(rollouts, "--overwrite", "-n", buckets), stdout=PIPE, stderr=PIPE)
        try:
            process.communicate(timeout=moments.uniform(0.1, 1.0) * whole)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        outcomes.append(process.returncode)
        assert finished(rollouts) or refused(rollouts)
    assert -signal.SIGKILL in outcomes
    subprocess.run(command(rollouts, "--overwrite"), check=True, capture_output=True)
    assert finished(rollouts)
    assert not list(rollouts.glob(".*")), "what killed runs left is gone"


@pytest.mark.parametrize("more", [(), ("--workers", "2")])
def test_ctrl_c_ends_in_a_word_and_leaves_nothing(rollouts, more):
    process = subprocess.Popen(command(rollouts, *more), stderr=PIPE, text=True)
    work = rollouts / ".out.partial"
    while not list(work.glob("facts-*")) and process.poll() is None:
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert err.strip().splitlines()[-1] == "interrupted"
    assert "Traceback" not in err
    assert sorted(path.name for path in rollouts.iterdir()) == ["in"]


def test_a_folder_is_refused_while_another_run_writes_there(rollouts):
    first = subprocess.Popen(command(rollouts))
    while not list((rollouts / ".out.partial").glob("facts-*")) and first.poll() is None:
        pass
    first.send_signal(signal.SIGSTOP)
    second = subprocess.run(command(rollouts), capture_output=True, text=True)
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 1
    assert "another run is writing there" in second.stderr
    assert first.wait() == 0
    assert finished(rollouts)
