"""A run of verl's trainer of which nothing is left behind, not even by one that was killed.

with running(folder, words, folder / "console.log") as process:
    process.wait()
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


@contextmanager
def running(folder: Path, words: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start it there; all that it says goes to the end of the log. Whatever it started ends with this block."""
    with _temporary(folder) as temporary, log.open("ab") as out:
        environment = {
            "VERL_PLATFORM": "cpu",
            "RAY_TMPDIR": str(temporary),
            "RAY_USAGE_STATS_ENABLED": "0",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONUNBUFFERED": "1",
        }
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C comes to us, and we end it
        )
        try:
            yield process
        finally:
            end_processes(folder.resolve(), temporary)
            process.wait()


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """Ray's folder, which must have a short name. Whatever runs there or was started here is ended before and after.

    The name follows from the folder: a killed run's processes are found by it, although they belong to nobody.
    """
    place = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
    temporary = Path(tempfile.gettempdir()) / f"demo-{os.getuid()}-{place}"
    end_processes(folder.resolve(), temporary)
    temporary.mkdir(mode=0o700, exist_ok=True)
    try:
        yield temporary
    finally:
        end_processes(folder.resolve(), temporary)
        shutil.rmtree(temporary, ignore_errors=True)


def end_processes(folder: Path, temporary: Path) -> None:
    """End, by their ids, all processes that work in this folder or name this temporary one."""
    for _ in range(10):
        ours = [process for process in psutil.process_iter() if _belongs(process, folder, temporary)]
        if not ours:
            return
        for process in ours:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(ours, timeout=5)


def _belongs(process: psutil.Process, folder: Path, temporary: Path) -> bool:
    with suppress(psutil.Error, OSError):
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        words = process.cmdline()
        if any(str(temporary) in word for word in words) or process.environ().get("RAY_TMPDIR") == str(temporary):
            return True
        # Ray's workers write their title over what they were started with, but stay in the folder.
        return bool(words) and words[0].startswith("ray::") and process.cwd() == str(folder)
    return False
