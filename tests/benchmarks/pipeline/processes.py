"""Contenders as whole processes: what each runs, its time and peak memory, and the page cache before it."""

import errno
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent
LAUNCH = HERE / "launch.py"


@dataclass(frozen=True, slots=True)
class Work:
    """A command: {source} and {target} stand for the input and the contender's own folder, {python} for this Python.

    What it prints goes to the file `stdout`. With `timed_inside` it leaves the seconds that count in seconds.json.
    """

    name: str
    command: tuple[str, ...]
    needs: str | None = None
    stdout: str = os.devnull
    verified: bool = True
    timed_inside: bool = False

    def missing(self) -> str | None:
        """Why it cannot run here, and how to mend that."""
        if self.needs is None or importlib.util.find_spec(self.needs):
            return None
        return f"{self.name}: skipped, {self.needs} is not installed; pip install -c constraints-cpu.txt -e '.[bench]'"


def script(name: str) -> tuple[str, ...]:
    """A script of a contender on the input, into its folder."""
    return "{python}", str(HERE / "scripts" / f"{name}.py"), "{source}", "{target}"


def ours(name: str, *flags: str) -> tuple[str, ...]:
    """One of our commands on the input, into its folder."""
    return "{python}", str(ROOT / "bucketing" / f"{name}.py"), "-i", "{source}", "-o", "{target}", *flags


def run(work: Work, source: Path, target: Path) -> dict[str, float]:
    """Run it once in a folder that exists; an error if it fails."""
    places = {"source": str(source), "target": str(target), "python": sys.executable}
    command = [part.format(**places) for part in work.command]
    stdout = work.stdout.format(**places)
    launcher = [sys.executable, "-I", "-S", str(LAUNCH), stdout]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([*launcher, *command], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{work.name}: {' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout)
    del figures["code"]
    if work.timed_inside:
        figures = json.loads((target / "seconds.json").read_text())
    return figures


def settle(inputs: Sequence[Path], cold: bool) -> None:
    """What earlier contenders wrote is on the disk; the input is in the page cache, or with `cold` it is not."""
    if cold and not hasattr(os, "RWF_NOWAIT"):
        raise SystemExit("--cold: this system cannot say what is in its page cache; measure without it")
    os.sync()
    for path in inputs:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if cold:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                if _is_cached(descriptor):
                    raise SystemExit(f"--cold: {path} stays in memory; name a --folder that is on a disk")
            else:
                while os.read(descriptor, 1 << 20):
                    pass
        finally:
            os.close(descriptor)


def _is_cached(descriptor: int) -> bool:
    """Whether the first page of a file can be read without asking the disk; an empty file has none."""
    try:
        return os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT) > 0
    except OSError as error:  # a file system in memory does not take the question
        return error.errno != errno.EAGAIN
