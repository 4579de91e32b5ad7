"""The sandbox on this machine: a process that shuts itself in, asked through a pipe and ended with all it started."""

import dataclasses
import functools
import json
import os
import select
import signal
import struct
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import curriculum_verl
from curriculum_verl.errors import InputError
from curriculum_verl.rewards.sandbox.inside import seccomp
from curriculum_verl.rewards.sandbox.limits import Limits, SandboxSettings
from curriculum_verl.rewards.sandbox.running import Program, Run, SandboxError

_ROOT = str(Path(curriculum_verl.__file__).parent.parent)
_MAIN = "curriculum_verl.rewards.sandbox.inside.main"
_START = f"import sys; sys.path.insert(0, sys.argv[1]); from {_MAIN} import main; main()"
# One thread each: a numeric library's pool of threads would not fit into a program's limits.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_SYSTEM_FOLDERS = ("/usr", "/bin", "/lib", "/lib64", "/nix/store", "/gnu/store")
_STARTING = 20.0  # seconds for the walls, on a machine that is busy
_CLOSING = 5.0
_ENDING = 5.0


class LocalSandbox:
    """Safe from many threads: `at_once` programs run at a time, the others wait."""

    def __init__(self, settings: SandboxSettings):
        self._limits = settings.limits
        self._namespaces = choose_walls(settings)
        self._places = threading.BoundedSemaphore(settings.at_once)

    def run(self, code: str, programs: Sequence[Program]) -> list[Run]:
        """One run for each program."""
        with self._places:
            return run_shut_in(code, programs, self._limits, self._namespaces)


def choose_walls(settings: SandboxSettings) -> bool:
    """Whether there are namespaces; InputError where there are none and the weaker mode was not accepted."""
    refused = why_not(True)
    if refused is None:
        return True
    advice = "use backend: sandbox_fusion with a url, or a kernel that allows namespaces"
    if not settings.accept_weaker:
        raise InputError(
            f"this machine cannot shut untrusted code in with namespaces ({refused}); {advice}, "
            "or set accept_weaker: true (docs/rewards.md says what it does not guarantee)"
        )
    if settings.limits.processes > 1:
        raise InputError("limits.processes: got more than 1, expected 1 where there are no namespaces")
    weaker = why_not(False)
    if weaker is not None:
        raise InputError(f"this machine cannot run untrusted code at all ({weaker}); {advice}")
    return False


@functools.cache
def why_not(namespaces: bool) -> str | None:
    """Why a program cannot be run with, or without, namespaces here; tried once in each process."""
    if sys.platform != "linux":
        return f"the system is {sys.platform}, expected linux"
    if not seccomp.supported():
        return f"the machine is {os.uname().machine}, expected x86_64 or aarch64"
    try:
        runs = run_shut_in("import colorsys\nprint(6 * 7)", [Program("stdin")], Limits(), namespaces)
    except SandboxError as error:
        return str(error)
    return None if runs[0].output == "42\n" else f"a program that prints 42 ended as {runs[0].ended!r}"


def run_shut_in(code: str, programs: Sequence[Program], limits: Limits, namespaces: bool) -> list[Run]:
    """Runs the programs in a sandbox that is made for them alone."""
    with tempfile.TemporaryDirectory(prefix="sandbox-", ignore_cleanup_errors=True) as folder:
        if not namespaces:
            Path(folder).chmod(0o777)  # the program's user may be another; it is this program's alone
        request = {
            "code": code,
            "tests": [dataclasses.asdict(program) for program in programs],
            "limits": _plain_limits(limits, namespaces),
            "readable": _readable(),
            "packages": _packages(),
            "folder": "" if namespaces else folder,
        }
        try:
            data = json.dumps(request).encode("utf-8", errors="replace")
        except (TypeError, ValueError, RecursionError) as error:
            raise SandboxError(f"the tests cannot be written as JSON: {error}") from error
        return _exchange(data, len(programs), limits)


def _plain_limits(limits: Limits, namespaces: bool) -> dict[str, Any]:
    return {**dataclasses.asdict(limits), "output_bytes": limits.output_kb * 1024, "namespaces": namespaces}


def _readable() -> list[str]:
    folders = [*_SYSTEM_FOLDERS, sys.base_prefix, sys.base_exec_prefix, *_packages()]
    return [folder for folder in dict.fromkeys(folders) if not folder.startswith("/usr/") or folder in _SYSTEM_FOLDERS]


def _packages() -> list[str]:
    paths = sysconfig.get_paths()
    return list(dict.fromkeys([paths["purelib"], paths["platlib"]]))


def _exchange(request: bytes, count: int, limits: Limits) -> list[Run]:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _START, _ROOT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )
    try:
        seconds = _STARTING + min(limits.total_seconds + limits.wall_seconds, count * limits.wall_seconds) + _CLOSING
        most = (count + 1) * (limits.output_kb * 1024 * 6 + 6_100_000) + 10_000  # a byte can be six in JSON
        return _runs(_talk(process, struct.pack(">Q", len(request)) + request, count + 1, seconds, most), count)
    finally:
        _end(process)


def _talk(process: subprocess.Popen[bytes], request: bytes, lines: int, seconds: float, most: int) -> bytes:
    """Send the request, and read so many lines, or what there is at the end of the time."""
    assert process.stdin is not None
    assert process.stdout is not None
    into, out = process.stdin.fileno(), process.stdout.fileno()
    os.set_blocking(into, False)
    poll = select.poll()
    poll.register(into, select.POLLOUT)
    poll.register(out, select.POLLIN)
    deadline, data, got = time.monotonic() + seconds, bytearray(), 0
    while got < lines and len(data) < most and (left := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            if descriptor == into:
                try:
                    request = request[os.write(into, request[:65536]) :]
                except BrokenPipeError:
                    request = b""
                if not request:
                    poll.unregister(into)  # but left open: its end would end the programs
            else:
                more = os.read(out, 1 << 20)
                if not more:
                    return bytes(data)
                data += more
                got += more.count(b"\n")
    return bytes(data)


def _runs(answer: bytes, count: int) -> list[Run]:
    lines = [json.loads(line) for line in answer.split(b"\n")[:-1]]
    if not lines:
        raise SandboxError("the sandbox did not start")
    if "refused" in lines[0]:
        raise SandboxError(lines[0]["refused"])
    runs = [Run(**line) for line in lines[1:]]
    # What ended the sandbox was the program: it took all of its time, or of the machine's memory.
    runs += [Run("killed")] * (count - len(runs))
    if any(run.ended == "not started" for run in runs):
        raise SandboxError("the limits could not be set")
    return runs


def _end(process: subprocess.Popen[bytes]) -> None:
    """The end of its input ends the sandbox; the first process goes last, when none behind the walls is left."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    process.stdout.close()
    try:
        process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
