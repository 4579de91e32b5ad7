"""The worker process: reads a verifier and a response, scores it, writes the score."""

import ctypes
import json
import os
import pickle
import resource
import signal
import struct
import sys
from contextlib import suppress
from typing import Any

from curriculum_verl.rewards.scoring import Component, Score
from curriculum_verl.rewards.verifiers.guarding import failed, guarded

_HEAD = struct.calcsize(">Qd")
_SUBREAPER = 36
_GRACE = 2.0  # seconds after which a worker ends itself when nobody else does: its parent is gone


def main(memory_mb: int) -> None:
    """Ends with its input, which ends with its parent."""
    requests, replies = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a verifier prints must not get into the replies
    signal.signal(
        signal.SIGALRM, signal.SIG_DFL
    )  # ends the process even inside a regular expression that holds the GIL
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _keep_orphans()
    limit = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    verifiers: dict[bytes, Component] = {}
    own = os.getpid()
    while True:
        head = _read_exactly(requests, _HEAD)
        length, seconds = struct.unpack(">Qd", head)
        request = _read_exactly(requests, length)
        score = _answer(request, verifiers, replies, seconds)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if os.getpid() != own:
            os._exit(0)  # a child that the verifier started, and that came back here
        _write(replies, json.dumps({"value": score.value, "parts": dict(score.parts), "failure": score.failure}))
        if _most_memory() > limit / 2:
            os._exit(0)  # libraries keep what they have read: a fresh process starts with nothing


def _keep_orphans() -> None:
    """Whatever a verifier starts stays below this process, where it can be found and ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def _most_memory() -> int:
    """The most memory that this process ever held, in bytes.

    Not by getrusage where it can be helped: there a process begins with what the one held that started it.
    """
    with suppress(OSError), open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _answer(request: bytes, verifiers: dict[bytes, Component], replies: int, seconds: float) -> Score:
    try:
        packed, response = pickle.loads(request)
        if packed not in verifiers:
            verifiers[packed] = _unpacked(packed)
    except Exception as error:  # the import of a library or of the user's module may fail in any way
        _write(replies, "ready")
        return failed(f"the verifier cannot be loaded: {type(error).__name__}: {error}")
    _write(replies, "ready")
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE)
    return guarded(verifiers[packed], response)


def _unpacked(packed: bytes) -> Any:
    verifier = pickle.loads(packed)
    prepare = getattr(verifier, "prepare", None)
    if prepare is not None:
        prepare()
    return verifier


def _write(descriptor: int, text: str) -> None:
    data = text.encode("utf-8", errors="replace")
    data = struct.pack(">I", len(data)) + data
    while data:
        data = data[os.write(descriptor, data) :]


def _read_exactly(descriptor: int, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        more = os.read(descriptor, min(count - len(data), 1 << 20))
        if not more:
            os._exit(0)  # at once: threads of a library may still run
        data += more
    return bytes(data)
