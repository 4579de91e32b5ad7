"""Runs one program after another, each in a process of its own, and ends whatever outlives its test."""
# Paths are text here: pathlib would double the time in which a sandbox starts.
# ruff: noqa: PTH103

import os
import select
import signal
import time
from contextlib import suppress
from typing import Any, NoReturn

from curriculum_verl.rewards.sandbox.inside import child, kernel

_CHUNK = 65536
_VALUE_BYTES = 1_000_000
_ASIDE = 100  # the first of five descriptors that are free
_CLOSING = 1.0  # seconds for the output of a program that has ended


class StoppedError(Exception):
    """Nobody waits for the results any more."""


def run_test(code: str, test: dict[str, Any], request: dict[str, Any], folder: str) -> dict[str, Any]:
    """How one program ended, what it wrote, and the value that was asked of it."""
    limits = request["limits"]
    pipes = [os.pipe() for _ in range(4)]
    (stdin_read, stdin_write), (output_read, output_write), (value_read, value_write), (trouble_read, trouble) = pipes
    process = os.fork()
    if process == 0:
        _become_program(code, test, request, folder, (stdin_read, output_write, value_write, trouble))
    for descriptor in (stdin_read, output_write, value_write, trouble):
        os.close(descriptor)
    watch = _Watch(
        process, test["stdin"].encode("utf-8", errors="replace"), stdin_write, output_read, value_read, limits
    )
    try:
        watch.until_end()
    except StoppedError:
        os.kill(process, signal.SIGKILL)
        raise
    _end_all(limits["namespaces"])
    watch.drain()
    started = not os.read(trouble_read, 1)
    os.close(trouble_read)
    _, status, usage = watch.exit or (0, -signal.SIGKILL, None)
    return {
        "ended": (watch.verdict or _verdict(status)) if started else "not started",
        "output": watch.output.decode("utf-8", errors="replace"),
        "value": watch.value.decode("utf-8", errors="replace") or None,
        "cpu": usage.ru_utime + usage.ru_stime if usage else 0.0,
    }


def _become_program(code: str, test: dict[str, Any], request: dict[str, Any], folder: str, ends: Any) -> NoReturn:
    try:
        kernel.die_with_parent()
        nothing = os.open("/dev/null", os.O_WRONLY)
        for number, end in enumerate((*ends, nothing)):  # out of the way first: they may lie where they are to go
            os.dup2(end, _ASIDE + number)
        for number, target in enumerate((0, 1, child.VALUE, child.TROUBLE, 2)):
            os.dup2(_ASIDE + number, target)
        os.closerange(child.TROUBLE + 1, 256)
        os.makedirs(folder, exist_ok=True)
        os.chdir(folder)
    except OSError:
        child.stop()
    child.run(code, test, request["limits"], request["packages"])


def _verdict(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return "timeout" if code == -signal.SIGXCPU else "killed"
    return "finished" if code == child.FINISHED else "failed"


class _Watch:
    """Feeds a program, reads it, and says when it has gone too far."""

    def __init__(self, process: int, stdin: bytes, feed: int, output: int, value: int, limits: dict[str, Any]):
        self.output, self.value = bytearray(), bytearray()
        self.verdict: str | None = None
        self.exit: tuple[int, int, Any] | None = None
        self._process = process
        self._handle = os.pidfd_open(process)
        self._stdin, self._feed = stdin, feed
        self._reads = {output: (self.output, limits["output_bytes"]), value: (self.value, _VALUE_BYTES)}
        self._deadline = time.monotonic() + limits["wall_seconds"]
        self._poll = select.poll()
        for descriptor in (output, value, self._handle):
            self._poll.register(descriptor, select.POLLIN)
        self._poll.register(0, select.POLLHUP)  # the other end of our own input: closed when nobody waits any more
        os.set_blocking(feed, False)
        self._poll.register(feed, select.POLLOUT)

    def until_end(self) -> None:
        """Returns when the program has ended, or has to."""
        while self.verdict is None and self.exit is None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                self.verdict = "timeout"
                break
            for descriptor, event in self._poll.poll(left * 1000):
                self._handle_event(descriptor, event)
        if self.exit is None:
            os.kill(self._process, signal.SIGKILL)
            self._reap()

    def drain(self) -> None:
        """What is still in the pipes; nothing that could write to them is left, or time ends it."""
        self._close_feed()
        self._poll.unregister(0)
        self._deadline = time.monotonic() + _CLOSING
        while self._reads and (left := self._deadline - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(left * 1000):
                if descriptor in self._reads:
                    self._read(descriptor)
        for descriptor in list(self._reads):
            self._close(descriptor)

    def _handle_event(self, descriptor: int, event: int) -> None:
        if descriptor == 0:
            raise StoppedError
        if descriptor == self._handle:
            self._reap()
        elif descriptor == self._feed:
            self._write(event)
        elif descriptor in self._reads:
            self._read(descriptor)

    def _write(self, event: int) -> None:
        try:
            if event & select.POLLERR:
                raise BrokenPipeError
            self._stdin = self._stdin[os.write(self._feed, self._stdin[:_CHUNK]) :]
        except BrokenPipeError:  # the program does not read all of its input
            self._stdin = b""
        except BlockingIOError:
            return
        if not self._stdin:
            self._close_feed()

    def _close_feed(self) -> None:
        if self._feed >= 0:
            self._poll.unregister(self._feed)
            os.close(self._feed)
            self._feed = -1

    def _read(self, descriptor: int) -> None:
        into, most = self._reads[descriptor]
        data = os.read(descriptor, _CHUNK)
        into += data[: most - len(into)]
        if not data:
            self._close(descriptor)
        elif len(into) >= most:
            self.verdict = "output"
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        os.close(descriptor)
        del self._reads[descriptor]

    def _reap(self) -> None:
        self.exit = os.wait4(self._process, 0)
        self._poll.unregister(self._handle)
        os.close(self._handle)


def _end_all(namespaces: bool) -> None:
    """Behind the walls this is process 1: all others are the program's. In the open it could not start any."""
    if not namespaces:
        return
    while True:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
