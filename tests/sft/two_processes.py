"""A training script in two processes over gloo, as torchrun would start it."""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = 200  # seconds


def free_port() -> int:
    """Below those of the system for connections: one that is made before anybody listens could be given this one."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("a hundred ports were tried, and none was free")


def run_in_two(folder: Path, script: str, *arguments: object, env: Mapping[str, str] | None = None) -> None:
    """Run it; a process that fails or hangs fails the test with what both said, which is written to the folder."""
    shared = {"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}", "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2"}
    shared["CUDA_VISIBLE_DEVICES"] = ""  # two processes of NCCL cannot share the one GPU that a machine may have
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), **(env or {})}
    said = [folder / f"process_{rank}.log" for rank in range(2)]
    processes = []
    for rank, path in enumerate(said):
        with path.open("wb") as output:
            own = os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            command = [sys.executable, "-u", "-c", script, *map(str, arguments)]
            processes.append(subprocess.Popen(command, env=own, stdout=output, stderr=subprocess.STDOUT))
    end = time.monotonic() + LONGEST
    while None in (codes := [process.poll() for process in processes]) and time.monotonic() < end:
        if any(codes):  # the other one would wait for it without end
            break
        time.sleep(0.05)
    for process in processes:
        process.kill()
        process.wait()
    assert codes == [0, 0], f"exit codes {codes}\n" + "\n".join(path.read_text() for path in said)
