"""Tasks on a real Ray cluster: results in order whatever dies, and errors that read as if they were raised here."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import made_up_tasks as tasks
import psutil
import pytest

from curriculum_verl import parallel
from curriculum_verl.errors import InputError
from curriculum_verl.parallel import Runner, runner

# A command of its own that starts a cluster, whose tasks need a module of the folder where the user stands.
COMMAND = """
import sys
from curriculum_verl.commands.running import run
from curriculum_verl.parallel import runner
from users_module import double

def main(argv):
    with runner(ray_address="local") as running:
        print(sum(running.map(double, range(10))), flush=True)
        list(running.map(double, [1, "mistake", "another", "and another"]))
    return 0

raise SystemExit(run("made up", main))
"""
USERS_MODULE = """
from curriculum_verl.errors import InputError

def double(number):
    if isinstance(number, str):
        raise InputError(f"r.jsonl:1: {number}")
    return 2 * number
"""


@pytest.fixture
def running(cluster) -> Iterator[Runner]:
    with runner(ray_address="") as on_ray:
        yield on_ray


def test_results_come_in_the_order_of_the_tasks(running):
    assert running.distributed
    assert running.workers == 2
    assert list(running.map(tasks.square, range(40))) == [n * n for n in range(40)]
    assert list(running.map(tasks.square, [])) == []
    assert os.getpid() not in set(running.map(tasks.process, range(8)))


def test_a_task_whose_worker_is_killed_is_run_again(running, tmp_path):
    work = [(number, tmp_path) for number in range(12)]
    assert list(running.map(tasks.kill_own_process_once, work)) == [(n, n * n) for n in range(12)]
    assert sorted(mark.name for mark in tmp_path.iterdir()) == ["tried-3", "tried-8"], "two workers were killed"


def test_a_task_that_always_kills_its_worker_is_an_error(running, monkeypatch):
    monkeypatch.setattr(parallel, "RETRIES", 1)
    with pytest.raises(InputError, match="--ray: a task was lost with its worker"):
        list(running.map(tasks.kill_own_process, [1]))
    assert list(running.map(tasks.square, range(5))) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize(("function", "number", "error"), tasks.ERRORS)
def test_the_error_of_a_task_comes_through_as_it_is(running, function, number, error):
    tasks.check_error(running, function, number, error)


def test_after_an_error_no_task_runs_any_more(running, tmp_path):
    """Or they would go on to write into a folder that is being removed."""
    with pytest.raises(InputError, match="number 0"):
        list(running.map(tasks.begin_and_end, [(number, tmp_path) for number in range(30)]))
    began, ended = ({path.name.split("-")[0] for path in tmp_path.glob(f"*-{word}")} for word in ("began", "ended"))
    assert began == ended
    assert 0 < len(began) < 10


def test_a_cluster_that_was_there_before_is_left_alone(cluster):
    ray = pytest.importorskip("ray")
    with runner(ray_address=""):
        pass
    assert ray.is_initialized()


def test_a_command_starts_a_cluster_of_its_own_and_ends_it(tmp_path):
    pytest.importorskip("ray")
    (tmp_path / "users_module.py").write_text(USERS_MODULE)
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:
        done = subprocess.run(
            [sys.executable, "-c", COMMAND],
            cwd=tmp_path,
            env=os.environ | {"RAY_TMPDIR": folder},
            capture_output=True,
            text=True,
            check=False,
        )
        left = [process.pid for process in psutil.process_iter(["cmdline"]) if folder in str(process.info["cmdline"])]
        assert Path(folder, "ray").is_dir(), "it was a cluster of its own"
    assert done.stdout == "90\n"
    assert done.stderr.splitlines()[-1] == "made up: r.jsonl:1: mistake"
    for noise in ("Traceback", "ERROR", "Error", "another"):
        assert noise not in done.stderr
    assert done.returncode == 1
    assert left == []
