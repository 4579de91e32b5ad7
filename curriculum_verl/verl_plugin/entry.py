"""What verl calls inside `import verl`, in every process: cheap, and loud when it fails."""

import os
import sys
import traceback
from collections.abc import Callable
from types import ModuleType

from curriculum_verl.verl_plugin.importing import when_imported

PLATFORM_VARIABLE = "VERL_PLATFORM"


def cpu_requested() -> bool:
    """Whether the CPU was asked for by name; a machine without a GPU alone never is such a wish."""
    return os.environ.get(PLATFORM_VARIABLE, "").strip().lower() == "cpu"


def load() -> None:
    """Register the trainer modes, which are built when verl imports its own, and the CPU if it was asked for."""
    when_imported("verl.trainer.ppo.v1", _register_trainers)
    if cpu_requested():
        _loudly(_register_cpu, f"its CPU platform ({PLATFORM_VARIABLE}=cpu); verl will fail without it")


def _register_trainers(_: ModuleType) -> None:
    _loudly(_import_trainers, "its trainer modes; a run with trainer.v1.trainer_mode=curriculum_... will fail")


def _import_trainers() -> None:
    import curriculum_verl.verl_plugin.trainer  # noqa: F401  # registers itself


def _register_cpu() -> None:
    from curriculum_verl.verl_plugin.cpu.register import register

    register()


def _loudly(register: Callable[[], None], what: str) -> None:
    """verl swallows what a plug-in raises, and a run that does not ask for it must go on: so the reason is printed."""
    try:
        register()
    except Exception:  # whatever it is, it is shown whole
        print(f"curriculum_verl could not register {what}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)


load()
