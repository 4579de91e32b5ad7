"""One run at a time: who is refused, and when a lock ends."""

import fcntl
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curriculum_verl.errors import InputError
from curriculum_verl.locks import lock

HOLDER = """
import os, subprocess, sys, time
from pathlib import Path
from curriculum_verl.locks import lock

held = lock(Path(sys.argv[1]), "busy")
print(subprocess.Popen(["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL).pid, flush=True)
if not os.fork():
    print(os.getpid(), flush=True)  # by then it has let go
    os.close(1)
time.sleep(60)
"""


def test_a_second_run_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run" / ".lock"
    with lock(path, "run: another run is there"), pytest.raises(InputError, match=r"^run: another run is there$"):
        lock(path, "run: another run is there")
    lock(path, "busy").close()


def test_a_lock_ends_with_its_process_and_no_child_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        children = [int(holder.stdout.readline()) for _ in range(2)]
        try:
            with pytest.raises(InputError, match="busy"):
                lock(path, "busy")
            holder.kill()
            holder.wait()
            for child in children:
                os.kill(child, 0)
            lock(path, "busy").close()
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)


def test_a_file_system_that_cannot_lock_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", fail)
    with caplog.at_level(logging.WARNING), lock(tmp_path / ".lock", "busy"), lock(tmp_path / ".lock", "busy"):
        pass
    assert f"{tmp_path}: that file system cannot lock files (Function not implemented)" in caplog.text
