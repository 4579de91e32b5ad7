"""Long-lived processes of this machine: all end well, or the first error ends all of them at once."""

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from curriculum_verl.errors import InputError

T = TypeVar("T")
PATIENCE = 10.0  # seconds that a process has to end when it is told to


def run_all(function: Callable[[T], None], tasks: Sequence[T]) -> None:
    """Run a function of a module on each task, each in a process of its own; Ctrl-C reaches this process alone."""
    running: dict[Any, tuple[SpawnProcess, Connection]] = {}
    try:
        for task in tasks:
            process, errors = _start(function, task)
            running[process.sentinel] = process, errors
        while running:
            for sentinel in wait(list(running)):
                process, errors = running.pop(sentinel)
                process.join()
                _raise_error(process, errors)
    finally:
        _end(process for process, _ in running.values())


def _start(function: Callable[[T], None], task: T) -> tuple[SpawnProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    errors, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(function, task, theirs))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which the process inherits
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
    return process, errors


def _main(function: Callable[[T], None], task: T, errors: Connection) -> None:
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        function(task)
    except Exception as error:  # the parent raises it
        errors.send_bytes(_pickled(error))
        raise SystemExit(1) from None


def _follow_parent() -> None:
    """End with the parent, even if that is killed: nobody would be told of what is made."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _pickled(error: Exception) -> bytes:
    try:
        content = pickle.dumps(error)
        pickle.loads(content)
    except Exception:  # what libraries raise does not always travel
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return content


def _raise_error(process: SpawnProcess, errors: Connection) -> None:
    """The error of a process that has ended, if it was one."""
    with errors:
        if errors.poll():
            try:
                content = errors.recv_bytes()
            except EOFError:
                content = b""
            if content:
                raise pickle.loads(content)
    if process.exitcode:
        raise InputError(
            f"a worker ended with exit code {process.exitcode}"
            + (", most likely for want of memory; use fewer --workers" if process.exitcode == -signal.SIGKILL else "")
            + "; what is done is kept: the same command goes on"
        )


def _end(processes: Any) -> None:
    processes = list(processes)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
