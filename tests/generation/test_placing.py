"""Where workers run: GPUs shared out, processes that end together, and a real Ray cluster whose worker is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from generation.made_up_work import mark

from curriculum_verl.errors import InputError
from curriculum_verl.generation.job import Job
from curriculum_verl.generation.judging import Scoring
from curriculum_verl.generation.placing import Placing, share_gpus, visible_gpus
from curriculum_verl.generation.processes import run_all
from curriculum_verl.generation.run import generate


def test_gpus_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert share_gpus(2, 1, ["0", "1", "2"]) == ["0", "1"]
    assert share_gpus(2, 2, ["4", "5", "6", "7"]) == ["4,5", "6,7"]
    assert share_gpus(3, 1, ["0", "1"]) == ["0", "1", "0"]
    assert share_gpus(2, 1, []) == [None, None]
    with pytest.raises(InputError, match="got 2 with 2 GPUs each, but there are 3"):
        share_gpus(2, 2, ["0", "1", "2"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5")
    assert visible_gpus() == ["3", "GPU-5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_each_task_has_a_process(tmp_path: Path) -> None:
    run_all(mark, [(tmp_path, "well")] * 2)
    pids = {path.name for path in tmp_path.iterdir()}
    assert len(pids) == 2
    assert f"well-{os.getpid()}" not in pids


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("error", "one of them failed"),
        ("unpicklable", "LocalError: of a library"),
        ("killed", "exit code -9, most likely for want of memory"),
    ],
)
def test_an_error_ends_the_others(tmp_path: Path, ending: str, said: str) -> None:
    with pytest.raises((InputError, RuntimeError), match=said):
        run_all(mark, [(tmp_path, "endless"), (tmp_path, ending)])
    assert all(not psutil.pid_exists(int(path.name.rpartition("-")[2])) for path in tmp_path.iterdir())


COMMAND = """
import sys
from generation.made_up_work import mark
from curriculum_verl.generation.processes import run_all
from pathlib import Path
print("started", flush=True)
run_all(mark, [(Path(sys.argv[1]), "endless")] * 2)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    tests = Path(__file__).parent.parent
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])}
    parent = subprocess.Popen([sys.executable, "-c", COMMAND, str(tmp_path)], env=env, stderr=subprocess.DEVNULL)
    while len(found := list(tmp_path.iterdir())) < 2:
        assert parent.poll() is None
    workers = [psutil.Process(int(path.name.rpartition("-")[2])) for path in found]
    parent.send_signal(how)
    parent.wait(30)
    gone, alive = psutil.wait_procs(workers, 30)
    assert (len(gone), alive) == (2, [])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[None]:
    """A cluster of two workers, of this test alone."""
    ray = pytest.importorskip("ray")
    folder = tempfile.mkdtemp(prefix="r", dir="/tmp")  # sockets need a short path
    ray.init(
        "local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80_000_000,
        log_to_driver=False,
        _temp_dir=folder,
    )
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


# Kills the worker that it scores for, once.
KILLER = """
import os, pathlib, signal

def score(response):
    mark = pathlib.Path({mark!r})
    if response.prompt == "0+3=?" and not mark.exists():
        mark.write_text(str(os.getppid()))
        os.kill(os.getppid(), signal.SIGKILL)
    return float(response.text == response.ground_truth)
"""


def test_a_worker_that_is_killed_on_ray_changes_nothing(
    make_job: Callable[..., Job], cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    killed = tmp_path / "killed"
    Path("killer.py").write_text(KILLER.format(mark=str(killed)))
    job = make_job(count=2, scoring=Scoring(verifier="killer.py:score"))
    generate(job, Placing(workers=2, ray_address=""))
    assert psutil.pid_exists(int(killed.read_text())) is False
    here = replace(job, output=tmp_path / "here")
    generate(here, Placing())
    ours, theirs = (folder / "rollouts.jsonl" for folder in (here.output, job.output))
    assert ours.read_bytes() == theirs.read_bytes()
    assert len(ours.read_text().splitlines()) == 20
    manifests = [json.loads((folder / "generation.json").read_text()) for folder in (here.output, job.output)]
    assert manifests[0] == manifests[1]
