"""The sandbox of a sandbox_fusion server, asked through verl's own client."""

import importlib
import inspect
import math
import secrets
import textwrap
import threading
from collections.abc import Sequence
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.sandbox.inside import child
from curriculum_verl.rewards.sandbox.limits import SandboxSettings
from curriculum_verl.rewards.sandbox.running import Ended, Program, Run, SandboxError

_CLIENT = "verl.utils.reward_score.sandbox_fusion.utils"
_ENDED: dict[str, Ended] = {
    "success": "finished",
    "runtime_error": "failed",
    "compile_error": "failed",
    "compile_error_skipped": "failed",
    "timeout": "timeout",
    "compile_timeout": "timeout",
}


class FusionSandbox:
    """What a program may do is the server's to say; its time and memory are sent along with it."""

    def __init__(self, settings: SandboxSettings):
        if not settings.url:
            raise InputError("sandbox.url: is missing, expected the address of sandbox_fusion's run_code")
        self._url, self._limits = settings.url, settings.limits
        self._places = threading.BoundedSemaphore(settings.at_once)

    def run(self, code: str, programs: Sequence[Program]) -> list[Run]:
        """One run for each program; the outputs are compared here, not by verl's client."""
        client = importlib.import_module(_CLIENT)
        marker = secrets.token_hex(16)
        count = len(programs)
        cases = {
            "inputs": [program.stdin for program in programs],
            "outputs": [None] * count,
            "assert_case": [_driver(program, marker) for program in programs],
        }
        _, reports = client.check_correctness(
            sandbox_fusion_url=self._url,
            in_outs=cases,
            generation=code,
            timeout=math.ceil(self._limits.wall_seconds),
            memory_limit_mb=self._limits.memory_mb,
            concurrent_semaphore=self._places,
        )
        return [_run(report, marker) for report in reports]


def _driver(program: Program, marker: str) -> str:
    """Statements after the program that print the values which are asked of it."""
    if program.kind == "stdin":
        return ""
    if program.kind == "call":
        ask = textwrap.dedent(f"""
            __f__ = globals().get({program.function!r})
            if __f__ is None:
                __f__ = getattr(Solution(), {program.function!r})
            __noted__ = __plain__(__f__(*{program.arguments!r}))
        """)
    else:
        ask = textwrap.dedent("""
            import builtins as __builtin_names__
            __saved__, __noted__ = vars(__builtin_names__), []
            __note__ = lambda value: __noted__.append(__plain__(value))
        """)
        ask += f"{program.source}\n"
    show = f"import json as __json__\nprint('\\n{marker}' + __json__.dumps(__noted__))\n"
    plain = f"from typing import Any\n_EXACT = {child._EXACT}\n{inspect.getsource(child.plain)}"
    # In a namespace of its own: the program may have given the names that it uses another meaning, or use its name.
    return f"__own__ = {{}}\nexec({plain!r}, __own__)\n__plain__ = __own__['plain']\n{ask}\n{show}"


def _run(report: dict[str, Any], marker: str) -> Run:
    status = str(report.get("status"))
    if status not in _ENDED:
        raise SandboxError(f"sandbox_fusion: {status}: {report.get('api_request_error') or 'no reason given'}")
    output, _, value = str(report.get("stdout") or "").partition(f"\n{marker}")
    return Run(_ENDED[status], output, value.strip() or None, float(report.get("duration") or 0.0))
