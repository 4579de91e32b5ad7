import itertools
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import made_up_tasks as tasks
import psutil
import pytest

from curriculum_verl.errors import InputError
from curriculum_verl.parallel import AHEAD, Runner, runner

TIMEOUT = 60  # seconds after which a test that hangs fails

# Endless tasks. The first word comes when the first worker is just being started, the others from the workers.
ENDLESS = """
import itertools
from curriculum_verl.commands.running import run
from curriculum_verl.parallel import runner
from made_up_tasks import say, square

def numbers():
    yield 0
    print("handed out", flush=True)
    yield from itertools.count(1)

def main(argv):
    with runner(2) as running:
        for _ in running.map(FUNCTION, numbers()):
            pass

raise SystemExit(run("endless", main))
"""
IDLE = """
import sys
from curriculum_verl.parallel import runner
from made_up_tasks import process

with runner(2) as running:
    print(*set(running.map(process, range(20))), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def two() -> Iterator[Runner]:
    """Two worker processes."""
    with runner(2) as running:
        yield running


@pytest.fixture(params=["in process", "processes"])
def running(request, two) -> Iterator[Runner]:
    if request.param == "processes":
        yield two
    else:
        with runner() as alone:
            yield alone


def started(code: str, **more: object) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, env=environment, **more)


def test_results_come_in_the_order_of_the_tasks(running):
    assert list(running.map(tasks.square, range(50))) == [n * n for n in range(50)]
    assert list(running.map(tasks.square, [])) == []
    assert not running.distributed


def test_more_workers_are_more_processes(two):
    assert (two.workers, os.getpid() in set(two.map(tasks.process, range(20)))) == (2, False)
    with runner(1) as alone:
        assert (alone.workers, set(alone.map(tasks.process, range(3)))) == (1, {os.getpid()})


def test_few_tasks_are_drawn_ahead_of_the_results(running):
    drawn: list[int] = []
    results = running.map(tasks.square, (drawn.append(number) or number for number in itertools.count()))
    ahead = 0 if running.workers == 1 else 2 * AHEAD
    for number in range(3):
        assert next(results) == number**2
        assert len(drawn) == number + 1 + ahead


@pytest.mark.parametrize(("function", "number", "error"), tasks.ERRORS)
def test_the_error_of_a_task_comes_through_as_it_is(running, function, number, error):
    tasks.check_error(running, function, number, error)
    assert list(running.map(tasks.square, range(3))) == [0, 1, 4], "the runner lives on"


def test_results_before_an_error_are_given_out(running):
    results = running.map(tasks.refuse_odd, [0, 2, 4, 5, 6])
    assert [next(results), next(results), next(results)] == [0, 2, 4]
    with pytest.raises(InputError, match=r"r\.jsonl:5"):
        next(results)


def test_an_error_while_tasks_are_made_comes_through(running):
    def some() -> Iterator[int]:
        yield from range(3)
        raise InputError("no more tasks")

    with pytest.raises(InputError, match="no more tasks"):
        list(running.map(tasks.square, some()))


def test_a_result_that_cannot_travel_is_an_error(two):
    with pytest.raises((AttributeError, pickle.PicklingError)):
        list(two.map(tasks.give_what_cannot_travel, range(3)))
    assert list(two.map(tasks.square, range(3))) == [0, 1, 4]


def marks(folder: Path, what: str) -> set[str]:
    return {path.name.removesuffix(what) for path in folder.glob(f"*{what}")}


def test_after_an_error_no_task_runs_any_more(two, tmp_path):
    """Or they would go on to write into a folder that is being removed."""
    with pytest.raises(InputError, match="number 0"):
        list(two.map(tasks.begin_and_end, [(number, tmp_path) for number in range(30)]))
    began = marks(tmp_path, "-began")
    assert began == marks(tmp_path, "-ended")
    assert 0 < len(began) < 10
    list(two.map(tasks.square, range(10)))
    assert began == marks(tmp_path, "-began")


def test_when_the_one_who_asks_fails_no_task_runs_any_more(two, tmp_path):
    def use() -> None:
        for _ in two.map(tasks.begin_and_end, [(number, tmp_path) for number in range(1, 30)]):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use()
    began = marks(tmp_path, "-began")
    assert began == marks(tmp_path, "-ended")
    assert 0 < len(began) < 10


def test_a_killed_worker_is_told_with_what_to_do():
    with runner(2) as running, pytest.raises(InputError) as caught:
        list(running.map(tasks.kill_own_process, range(8)))
    message = "a worker process was killed, most likely for want of memory; use fewer --workers"
    assert str(caught.value) == message


def test_workers_leave_ctrl_c_to_their_parent(two):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.SIGINT not in before
    for blocked in two.map(tasks.blocked_signals, range(20)):
        assert signal.SIGINT in blocked
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.mark.parametrize(("function", "word"), [("square", "handed out\n"), ("say", "running\n")])
def test_ctrl_c_ends_everything_in_a_word(function, word):
    """It reaches all processes of the terminal, those that are being started too."""
    process = started(ENDLESS.replace("FUNCTION", function), start_new_session=True)
    while process.stdout.readline() != word:
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT)
    assert err == "interrupted\n"
    assert process.returncode == 130


def test_workers_end_with_a_parent_that_is_killed():
    process = started(IDLE)
    workers = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
    process.kill()
    _, alive = psutil.wait_procs(workers, timeout=TIMEOUT)
    for worker in alive:
        worker.kill()
    process.communicate()
    assert workers
    assert not alive


def test_without_ray_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="--ray: Ray is not installed; install it with: pip install ray"):
        runner(ray_address="").__enter__()


@pytest.mark.parametrize("by", ["argument", "environment"])
@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "ray://127.0.0.1:1", "[::1]:1", "no.such.host.invalid:6379", "nonsense"]
)
def test_an_address_where_no_cluster_answers_is_an_error_at_once(monkeypatch, address, by):
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError) as caught:
        runner(ray_address=address if by == "argument" else "").__enter__()
    assert str(caught.value).startswith(f"--ray {address}: no Ray cluster answers there: ")
