"""The untrusted program: what its process does from the fork to its end."""

import builtins
import json
import os
import resource
import sys
import types
from typing import Any, NoReturn

from curriculum_verl.rewards.sandbox.inside import seccomp

FINISHED, FAILED = 0, 1
VALUE = 3  # the descriptor on which a call's value leaves
TROUBLE = 4  # the descriptor that says that the limits could not be set; closed before the program begins
_THREADS = 32  # that a program which may not start processes may have
_MIB = 1024 * 1024
_EXACT = 2**53


def run(code: str, test: dict[str, Any], limits: dict[str, Any], packages: list[str]) -> NoReturn:
    """Set the limits, run the program, hand out the value that the test asks for, end."""
    try:
        _set_limits(limits)
        seccomp.refuse_calls(limits["processes"] > 1, not limits["namespaces"])
        os.close(TROUBLE)
    except (OSError, ValueError):
        stop()
    try:
        _run(code, test, packages)
        status = FINISHED
    except SystemExit as end:
        status = FINISHED if end.code in (None, 0) else FAILED
    except BaseException:  # the program may fail in any way
        status = FAILED
    try:
        sys.stdout.flush()
    except BaseException:  # it may have closed its output, or put anything in its place
        status = FAILED
    os._exit(status)


def stop() -> NoReturn:
    """End before the program begins."""
    os.write(TROUBLE, b"!")
    os._exit(FAILED)


def _set_limits(limits: dict[str, Any]) -> None:
    memory = limits["memory_mb"] * _MIB
    cpu = max(1, int(limits["cpu_seconds"] + 0.999))
    files = limits["file_mb"] * _MIB
    for which, soft, hard in (
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_FSIZE, files, files),
        (resource.RLIMIT_NOFILE, 64, 64),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
    ):
        _set_limit(which, soft, hard)
    if limits["namespaces"]:  # elsewhere the user's other processes would count too
        most = limits["processes"] + 1 if limits["processes"] > 1 else 2 + _THREADS
        _set_limit(resource.RLIMIT_NPROC, most, most)


def _set_limit(which: int, soft: int, hard: int) -> None:
    """What the machine allows at most stays the most."""
    most = resource.getrlimit(which)[1]
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(which, (soft, hard))


def _run(code: str, test: dict[str, Any], packages: list[str]) -> None:
    sys.path[:] = [*sys.path[1:], *packages]  # the first led to this module, and is not there behind the walls
    for name in [name for name in sys.modules if name.startswith("curriculum_verl")]:
        del sys.modules[name]
    sys.argv = ["solution.py"]
    sys.stdin = open(0, encoding="utf-8", errors="replace")  # noqa: SIM115 - the program's own, to its end
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace")  # noqa: SIM115
    module = types.ModuleType("__main__")
    names = module.__dict__
    names["exit"] = names["quit"] = sys.exit  # the module `site`, which adds them, is not loaded here
    sys.modules["__main__"] = module
    # as they are before the program can replace them
    dump, write, close, saved = json.dumps, os.write, os.close, dict(vars(builtins))
    exec(compile(code, "solution.py", "exec"), names)
    if test["kind"] == "stdin":
        _join_threads()
        return
    value = plain(_call(names, test)) if test["kind"] == "call" else _evaluate(names, test["source"], saved)
    answer = dump(value).encode()
    while answer:
        answer = answer[write(VALUE, answer) :]
    close(VALUE)


def _join_threads() -> None:
    """A program may do its work in a thread, which the interpreter would wait for."""
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()


def _call(names: dict[str, Any], test: dict[str, Any]) -> Any:
    function = names.get(test["function"])
    if function is None and "Solution" in names:
        function = getattr(names["Solution"](), test["function"])
    if function is None:
        raise NameError(test["function"])
    return function(*test["arguments"])


def _evaluate(names: dict[str, Any], source: str, saved: dict[str, Any]) -> list[Any]:
    """The values that a test notes down while it runs, as they are then: what comes after may change them."""
    noted: list[Any] = []
    names["__note__"], names["__saved__"] = lambda value: noted.append(plain(value)), saved
    exec(compile(source, "test.py", "exec"), names)
    return noted


def plain(value: Any) -> Any:
    """A value as JSON that keeps apart what Python does."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value) if abs(value) < _EXACT else {"int": hex(value)}
    if isinstance(value, float):
        return {"float": repr(float(value))}
    if isinstance(value, complex):
        return {"complex": [repr(value.real), repr(value.imag)]}
    if isinstance(value, bytes | bytearray):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, tuple):
        return {"tuple": [plain(item) for item in value]}
    if isinstance(value, set | frozenset):
        return {"set": [plain(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[plain(key), plain(item)] for key, item in value.items()]}
    if isinstance(value, list) or type(value).__name__ == "deque":
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy
        return plain(value.tolist())
    raise TypeError(type(value).__name__)
