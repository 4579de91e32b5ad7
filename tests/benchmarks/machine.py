"""What the figures depend on: the machine, the versions of what was measured, and who else used the processor."""

import os
import platform
import resource
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_SELF, _CHILDREN = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
MACHINE, VERSIONS, LOAD = "- machine: ", "- versions: ", "- load when it began: "


def header(*libraries: str, gpu: str = "") -> str:
    """The lines that every benchmark begins with; of the libraries those that are installed are named."""
    load = f"{os.getloadavg()[0]:.1f} processes, the mean of a minute"
    return f"{told(*libraries, gpu=gpu)}\n{LOAD}{load}"


def told(*libraries: str, gpu: str = "") -> str:
    """The machine and the versions; the GPU if that is what was measured."""
    found = {name: number for name in ("curriculum-verl", *libraries) if (number := _version(name))}
    named = ", ".join(f"{name} {number}" for name, number in found.items())
    return f"{MACHINE}{gpu and f'{gpu}, '}{machine()}\n{VERSIONS}{named}"


def machine() -> str:
    """Processor, cores, memory, system and Python in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.platform()}, Python {platform.python_version()}"
    return f"{_processor()}, {cores} cores, {memory:.0f} GiB of memory, {system}"


def peak_memory(*, started: bool = False) -> str:
    """The most that this process ever held, in words; with `started` also the largest of those that it waited for."""
    unit = 1 if platform.system() == "Darwin" else 1024
    own, child = (resource.getrusage(who).ru_maxrss * unit / 1e6 for who in (_SELF, _CHILDREN))
    said = f"The process that measured held {own:,.0f} MB at most"
    return f"{said}, the largest that it started {child:,.0f} MB." if started else f"{said}."


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
