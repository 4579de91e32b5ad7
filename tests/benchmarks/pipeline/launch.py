"""Runs a command; prints its seconds and its peak memory, and hands on its exit code. Run as a process of its own.

A process counts as its own peak what its parent held when it was forked: so this one stays small and imports little.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

POLL_SECONDS = 0.05


def measure(stdout: str, argv: list[str]) -> dict[str, float]:
    """Run the command, its output into the file `stdout`."""
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)
        os.execvp(argv[0], argv)
    tree = [0]
    threading.Thread(target=_watch, args=(pid, tree), daemon=True).start()
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": max(usage.ru_maxrss * unit, tree[0]),
        "code": os.waitstatus_to_exitcode(status),
    }


def _watch(pid: int, most: list[int]) -> None:
    """What the process and its children hold together, now and then; where the system does not tell, nothing."""
    try:
        while True:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if children:
                most[0] = max(most[0], sum(_held(number) for number in [pid, *children]))
            time.sleep(POLL_SECONDS)
    except OSError:
        return


def _held(pid: int | str) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):  # it has just ended
        return 0


if __name__ == "__main__":
    result = measure(sys.argv[1], sys.argv[2:])
    print(json.dumps(result))
    sys.exit(int(result["code"]) % 256)
