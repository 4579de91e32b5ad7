"""What verl calls inside `import verl`, in every process: cheap, and loud when it fails."""

import os
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from curriculum_verl.verl_plugin.importing import when_imported

PLATFORM_VARIABLE = "VERL_PLATFORM"
CPU_OVERRIDES = ("+curriculum.cpu=true", "++curriculum.cpu=true", "curriculum.cpu=true")


def cpu_requested() -> bool:
    """Whether the CPU was asked for by name; a machine without a GPU alone never is such a wish."""
    return os.environ.get(PLATFORM_VARIABLE, "").strip().lower() == "cpu"


def load() -> None:
    """Register what verl looks up by name, each when verl imports its own; the CPU only if it was asked for."""
    if any(argument.lower() in CPU_OVERRIDES for argument in sys.argv):
        os.environ[PLATFORM_VARIABLE] = "cpu"  # before verl looks for a platform, and Hydra for its config
    when_imported("verl.trainer.ppo.v1", _register_trainers)
    when_imported("verl.utils.config", _wrap_validation)
    if cpu_requested():
        _loudly(_register_cpu, f"its CPU platform ({PLATFORM_VARIABLE}=cpu); verl will fail without it")


def _register_trainers(_: ModuleType) -> None:
    _loudly(_import_trainers, "its trainer modes; a run with trainer.v1.trainer_mode=curriculum_... will fail")


def _import_trainers() -> None:
    import curriculum_verl.verl_plugin.modes  # noqa: F401  # registers itself


def _wrap_validation(module: ModuleType) -> None:
    _loudly(lambda: _check_first(module), "its checks before a run; a run with a curriculum lacks what they fill in")


def _check_first(module: Any) -> None:
    """main_ppo has its config validated before it starts Ray: a run with a curriculum is made ready just then."""
    validate = module.validate_config

    def prepare_and_validate(config: Any, *args: Any, **kwargs: Any) -> Any:
        mode = (config.trainer.get("v1") or {}).get("trainer_mode") or ""
        if config.get("curriculum") is not None or mode.startswith("curriculum_"):
            _prepare(config)
        return validate(config, *args, **kwargs)

    module.validate_config = prepare_and_validate


def _prepare(config: Any) -> None:
    from curriculum_verl.errors import ConfigError
    from curriculum_verl.verl_plugin.preflight import prepare

    try:
        prepare(config)
    except ConfigError as error:
        sys.exit(str(error))  # the message alone: a traceback would say nothing more


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
