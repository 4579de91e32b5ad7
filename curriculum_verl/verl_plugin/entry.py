"""What verl calls inside `import verl`, in every process: cheap, and loud when it fails."""

import os
import sys
import traceback

PLATFORM_VARIABLE = "VERL_PLATFORM"


def cpu_requested() -> bool:
    """Whether the CPU was asked for by name; a machine without a GPU alone never is such a wish."""
    return os.environ.get(PLATFORM_VARIABLE, "").strip().lower() == "cpu"


def load() -> None:
    """Register what was asked for. verl swallows what an entry point raises, so the reason is printed first."""
    if not cpu_requested():
        return
    try:
        from curriculum_verl.verl_plugin.cpu.register import register

        register()
    except Exception:
        print(
            f"curriculum_verl could not register its CPU platform with verl ({PLATFORM_VARIABLE}=cpu); "
            f"verl will go on without it and fail later:\n{traceback.format_exc()}",
            file=sys.stderr,
            flush=True,
        )
        raise


load()
