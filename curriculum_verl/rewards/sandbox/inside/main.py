"""The sandbox's own program: reads a request, builds the walls, runs the tests behind them, reports each."""

import json
import os
import struct
import sys
import time
from typing import Any

from curriculum_verl.rewards.sandbox.inside import kernel, programs, walls


def main() -> None:
    """Request and reports are JSON; the request has its length before it, a report is a line."""
    request = json.loads(_read_exactly(struct.unpack(">Q", _read_exactly(8))[0]))
    try:
        _shut_in(request)
    except OSError as error:
        _report({"refused": str(error)})
        return
    _report({"walls": "built"})
    try:
        _run_tests(request)
    except programs.StoppedError:
        os._exit(1)
    os._exit(0)


def _shut_in(request: dict[str, Any]) -> None:
    kernel.die_with_parent()
    number, namespaces = os.getpid(), request["limits"]["namespaces"]
    if namespaces:
        walls.enter_namespaces(request["readable"], request["limits"]["file_mb"])
        inner = os.fork()
        if inner:
            _wait_for(inner)
    walls.become_nobody(number, namespaces)
    kernel.die_with_parent()


def _wait_for(inner: int) -> None:
    """The first process only waits: the one that it started is process 1 behind the walls."""
    os.close(1)
    _, status = os.waitpid(inner, 0)
    os._exit(0 if status == 0 else 1)


def _run_tests(request: dict[str, Any]) -> None:
    end = time.monotonic() + request["limits"]["total_seconds"]
    for number, test in enumerate(request["tests"]):
        if time.monotonic() > end:
            _report({"ended": "no time", "output": "", "value": None, "cpu": 0.0})
            continue
        folder = request["folder"] if request["folder"] else f"{walls.WORK}/{number}"
        _report(programs.run_test(request["code"], test, request, folder))


def _report(what: dict[str, Any]) -> None:
    data = json.dumps(what).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def _read_exactly(count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        more = os.read(0, min(count - len(data), 1 << 20))
        if not more:
            sys.exit(1)
        data += more
    return bytes(data)
