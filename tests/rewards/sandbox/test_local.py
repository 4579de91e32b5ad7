"""Hostile and harmless programs, behind walls and in the open."""

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

import curriculum_verl
from curriculum_verl.errors import InputError
from curriculum_verl.rewards.sandbox import local
from curriculum_verl.rewards.sandbox.choosing import build_sandbox
from curriculum_verl.rewards.sandbox.limits import Limits, SandboxSettings
from curriculum_verl.rewards.sandbox.local import LocalSandbox, choose_walls, run_shut_in, why_not
from curriculum_verl.rewards.sandbox.running import Program, Run, SandboxError

walls = pytest.mark.skipif(why_not(True) is not None, reason=f"no namespaces here: {why_not(True)}")
open_air = pytest.mark.skipif(why_not(False) is not None, reason=f"no sandbox here: {why_not(False)}")
either = pytest.mark.parametrize(
    "namespaces", [pytest.param(True, marks=walls, id="walls"), pytest.param(False, marks=open_air, id="open")]
)
SHORT = Limits(cpu_seconds=1, wall_seconds=5, file_mb=2, output_kb=64, memory_mb=128)
MANY = Limits(cpu_seconds=1, wall_seconds=5, file_mb=2, output_kb=64, memory_mb=128, processes=8)
TELL = "\nexcept BaseException as error:\n    print(type(error).__name__)"


def run(code: str, namespaces: bool = True, limits: Limits = SHORT, stdin: str = "") -> Run:
    return run_shut_in(code, [Program("stdin", stdin=stdin)], limits, namespaces)[0]


def tried(statement: str) -> str:
    """A program that prints what it was stopped with, or that it was not."""
    return f"try:\n    {statement}\n    print('done'){TELL}"


@pytest.fixture
def token(monkeypatch) -> str:
    """A word in the command line of every sandbox process of this test, and of no other."""
    word = secrets.token_hex(8)
    monkeypatch.setattr(local, "_START", f"{local._START}  # {word}")
    return word


def running(token: str) -> bool:
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and token.encode() in (entry / "cmdline").read_bytes():
                return True
    return False


@either
def test_a_program_reads_its_input_and_its_output_is_kept(namespaces):
    assert run("print(int(input()) * 2, 'é')", namespaces, stdin="21\n") == Run(
        "finished", "42 é\n", None, pytest.approx(0, abs=1)
    )


@either
def test_each_test_runs_in_a_process_of_its_own(namespaces):
    code = "import os\nseen = os.path.exists('seen')\nopen('seen', 'w').close()\ndef f(x): return [x, seen]"
    programs = [Program("call", function="f", arguments=(number,)) for number in range(2)]
    runs = run_shut_in(code, programs, SHORT, namespaces)
    assert json.loads(runs[0].value) == [0, False]
    assert json.loads(runs[1].value)[0] == 1


@either
def test_values_are_noted_down_by_statements(namespaces):
    program = Program("evaluate", source="x = f(2)\n__note__(x)\n__note__((x, {1: 'a'}))")
    (result,) = run_shut_in("def f(x): return x + 0.5", [program], SHORT, namespaces)
    assert json.loads(result.value) == [{"float": "2.5"}, {"tuple": [{"float": "2.5"}, {"dict": [[1, "a"]]}]}]


@either
@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("raise SystemExit(3)", "failed"),
        ("import os; os.write(4, b'!')", "failed"),
        ("import os; os._exit(97)", "failed"),
        ("exit()", "finished"),
        ("1 / 0", "failed"),
        ("def f(:", "failed"),
        ("print(chr(0xD800))", "finished"),
        ("x = '\ud800'\n\x00", "failed"),
        ("(" * 100_000, "failed"),
        ("import ctypes; ctypes.string_at(0)", "failed"),
        ("import os; os.close(0); os.close(1); os.close(2)", "finished"),
        ("import threading; threading.Thread(target=print, args=('late',)).start()", "finished"),
        ("import colorsys, heapq, decimal", "finished"),
        ("def f(): f()\nf()", "failed"),
    ],
)
def test_how_a_program_ended(namespaces, code, ended):
    assert run(code, namespaces).ended == ended


HOSTILE = {
    "an endless loop": ("while True: pass", "timeout"),
    "an endless loop that ignores its limit": (
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        "killed",  # by the system, a second after
    ),
    "a long sleep": ("import time; time.sleep(1000)", "timeout"),
    "an expression that holds the interpreter": ("import re; re.match('(a+)+b', 'a' * 100)", "timeout"),
    "endless output": ("while True: print('x' * 1000)", "output"),
    "a memory bomb": ("x = bytearray(10**10)", "failed"),
    "memory that is shared": ("import mmap\nx = [mmap.mmap(-1, 10**7) for _ in range(100)]", "failed"),
    "endless threads": (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(100,)).start()",
        "failed",
    ),
    "a file that grows": ("f = open('x', 'wb')\nwhile True: f.write(b'x' * 10**5)", "failed"),
    "endless files": ("x = [open(f'{n}', 'w') for n in range(10**5)]", "failed"),
}


@either
@pytest.mark.parametrize("name", HOSTILE)
def test_a_program_that_takes_without_end_is_ended(namespaces, name):
    code, ended = HOSTILE[name]
    before = time.monotonic()
    assert run(code, namespaces).ended == ended
    assert time.monotonic() - before < 60


@walls
def test_the_disk_behind_the_walls_is_small_and_gone_afterwards():
    code = "for n in range(1000): open(f'/tmp/filling_{n}', 'wb').write(b'x' * 10**5)"
    assert run(code).ended == "failed"
    assert not Path("/tmp/filling_0").exists()


@either
@pytest.mark.parametrize(
    ("statement", "stopped"),
    [
        ("import socket; socket.socket()", "PermissionError"),
        ("import socket; socket.create_connection(('127.0.0.1', 80))", "PermissionError"),
        ("import os; os.fork()", "BlockingIOError"),
        ("import subprocess; subprocess.run(['true'])", "BlockingIOError"),
        ("import os; os.memfd_create('x')", "PermissionError"),
        ("import os; os.setuid(0)", "PermissionError"),
        ("import os; os.kill(os.getppid(), 9) or os.getppid() != 1 or 1 / 0", "PermissionError ZeroDivisionError"),
        ("import os; os.unlink(os.__file__)", "OSError PermissionError"),
        ("open('/usr/written', 'w')", "OSError PermissionError"),
        ("import os; print(open(f'/proc/{os.getppid()}/environ').read())", "FileNotFoundError PermissionError"),
        ("import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))", "ValueError"),
    ],
)
def test_what_a_program_may_not_do(namespaces, statement, stopped):
    result = run(tried(statement), namespaces)
    assert result.ended == "finished"
    assert result.output.strip() in stopped.split()


@either
@pytest.mark.parametrize("number", [101, 272, 321, 425], ids=["ptrace", "unshare", "bpf", "io_uring_setup"])
def test_system_calls_without_a_name_in_python_are_refused_too(namespaces, number):
    if os.uname().machine != "x86_64":
        pytest.skip("these are the numbers of x86-64")
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"print(libc.syscall({number}, 0, 0, 0), ctypes.get_errno())"
    )
    assert run(code, namespaces).output == "-1 1\n"


@either
def test_the_environment_of_the_caller_is_not_there(namespaces, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "of the caller")
    result = run("import os; print(sorted(os.environ))", namespaces)
    assert "SECRET_TOKEN" not in result.output
    assert "OMP_NUM_THREADS" in result.output


@walls
def test_behind_the_walls_there_is_no_other_process_and_no_file_of_the_machine(tmp_path):
    (tmp_path / "secret").write_text("here")
    code = f"import os\nprint(os.getppid(), [os.path.exists(path) for path in ('/etc', '/proc', {str(tmp_path)!r})])"
    assert run(code).output == "1 [False, False, False]\n"
    assert run("import os; print(os.listdir('/tmp'), os.getcwd())").output == "['0'] /tmp/0\n"


@walls
@pytest.mark.parametrize("path", ["/written", "/dev/written", "/usr/written", f"{sys.base_prefix}/written"])
def test_behind_the_walls_all_that_can_be_read_is_read_only(path):
    code = f"try: open({path!r}, 'w')\nexcept OSError as error: print(error.errno == 30, error)"
    assert run(code).output.startswith("True"), (
        "the file system is read-only: it is not the user alone who may not write"
    )


@walls
def test_a_program_that_may_start_processes_leaves_none_behind(token):
    daemon = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n"
        "    if os.fork() == 0: time.sleep(1000)\n    os._exit(0)\nprint('left')"
    )
    runs = run_shut_in(daemon, [Program("stdin")] * 2, MANY, True)
    assert [(result.ended, result.output) for result in runs] == [("finished", "left\n")] * 2
    assert not running(token), "neither the daemons nor the sandbox are left"


@walls
@pytest.mark.parametrize(
    "bomb",
    [
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        "import os\nos.kill(-1, 9)\nos.kill(1, 9)\nprint('alive')",
    ],
)
def test_fork_bombs_and_killers_reach_nobody_else(bomb, token):
    runs = run_shut_in(bomb, [Program("stdin"), Program("stdin")], MANY, True)
    assert len(runs) == 2, "the sandbox itself lived to the second test"
    assert {result.ended for result in runs} <= {"timeout", "killed", "failed", "finished"}
    assert run("print('still here')").output == "still here\n"
    assert not running(token)


@either
def test_a_caller_that_dies_takes_the_program_with_it(namespaces, token):
    script = (
        "from curriculum_verl.rewards.sandbox import local\nfrom curriculum_verl.rewards.sandbox.local import *\n"
        f"local._START += '  # {token}'\n"
        f"run_shut_in('print(1, flush=True)\\nwhile True: pass', [Program('stdin')], "
        f"Limits(cpu_seconds=100, wall_seconds=100), {namespaces})"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as caller:
        try:
            wait_until(lambda: running(token))
        finally:
            caller.kill()
    wait_until(lambda: not running(token))
    assert caller.returncode == -9, "it died, and did not end by itself"


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def test_all_tests_together_have_an_end(monkeypatch):
    limits = Limits(cpu_seconds=1, wall_seconds=0.5, total_seconds=0.6)
    runs = run_shut_in("import time; time.sleep(100)", [Program("stdin")] * 5, limits, why_not(True) is None)
    assert [result.ended for result in runs][::4] == ["timeout", "no time"]


def test_limits_of_the_machine_that_are_lower_stay():
    script = (
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from curriculum_verl.rewards.sandbox.local import *\n"
        'code = \'open("x", "wb").write(bytes(200_000))\'\n'
        f"print(run_shut_in(code, [Program('stdin')], Limits(), {why_not(True) is None}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "ended='failed'" in done.stdout


def test_many_threads_share_the_places_of_one_sandbox():
    sandbox = build_sandbox(SandboxSettings(at_once=2, accept_weaker=True))
    results = []
    threads = [
        threading.Thread(
            target=lambda n=n: results.append((n, sandbox.run(f"print({n})", [Program("stdin")])[0].output))
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(n, f"{n}\n") for n in range(8)]


def test_without_namespaces_the_weaker_mode_has_to_be_accepted(monkeypatch):
    monkeypatch.setattr(local, "why_not", lambda namespaces: "unshare: not permitted" if namespaces else None)
    with pytest.raises(InputError, match=r"unshare: not permitted.*set accept_weaker: true"):
        choose_walls(SandboxSettings())
    assert choose_walls(SandboxSettings(accept_weaker=True)) is False
    with pytest.raises(InputError, match=r"limits.processes: got more than 1"):
        choose_walls(SandboxSettings(accept_weaker=True, limits=Limits(processes=2)))


def test_a_machine_that_has_not_even_the_weaker_mode_is_refused(monkeypatch):
    monkeypatch.setattr(local, "why_not", lambda namespaces: "seccomp: not there")
    with pytest.raises(InputError, match="cannot run untrusted code at all"):
        LocalSandbox(SandboxSettings(accept_weaker=True))


def test_tests_that_are_no_json_are_an_error_of_the_sandbox():
    with pytest.raises(SandboxError, match="cannot be written as JSON"):
        run_shut_in("pass", [Program("call", function="f", arguments=(object(),))], SHORT, True)


@walls
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("python", ["/usr/bin/python3"])
def test_a_user_without_rights_has_the_same_walls(python, tmp_path):
    if not Path(python).exists() or not can_run_this_package(python):
        pytest.skip("no Python that another user may read")
    root = Path(curriculum_verl.__file__).parent.parent
    script = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from curriculum_verl.rewards.sandbox.local import *\n"
        'code = \'import os\\nprint(os.getppid(), os.listdir("/tmp"))\\nopen("/usr/x", "w")\'\n'
        "print(why_not(True), run_shut_in(code, [Program('stdin')], Limits(), True)[0].output, end='')"
    )
    done = subprocess.run(
        [python, "-c", script], user=12345, group=12345, extra_groups=[], capture_output=True, text=True, cwd="/"
    )
    assert done.stdout == "None 1 ['0']\n", done.stderr


def can_run_this_package(python: str) -> bool:
    root = Path(curriculum_verl.__file__).parent.parent
    probe = f"import sys; sys.path.insert(0, {str(root)!r}); from typing import Self; import curriculum_verl.schema"
    return subprocess.run([python, "-c", probe], user=12345, group=12345, capture_output=True, cwd="/").returncode == 0
