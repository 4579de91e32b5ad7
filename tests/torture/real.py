"""Many steps of GRPO in verl on a CPU: memory flat, files bounded, nothing left behind."""

import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from torture.grpo import CHECKPOINTS, LOG, ROLLOUTS, write_recipe
from torture.outcome import Record, TroubleError
from torture.processes import LONGEST, of_run, orphans, standing
from torture.runs import METRICS, lines_of
from torture.work import Work

from examples.demo.launching import running

KEPT = 2  # checkpoints
# Ray's server keeps what it knows of the last 100,000 tasks, and so grows for hours, with a curriculum or without.
RAYS_HISTORY = "RAY_task_events_max_num_task_in_gcs=1000"
MOST, MOST_MB = 1.05, 20.0  # the memory of a kind of process may be so many times what it was, or so much more
MOST_BYTES = 1.02  # and that of a run's files
SHARED = Path("/dev/shm")
VERLS_OWN = "data.pt"
LOCKS = "ckpt_*.lock"  # verl/utils/fs.py leaves an empty one in the temporary folder for each checkpoint
CACHES = "torchinductor_*"  # which torch keeps for the next run, by user
HOURS = 3  # in which all steps must be done


def next_run(work: Work, records: Sequence[Record]) -> Record | None:
    if records:
        return None
    steps, place = work.real_steps, work.fresh("place-real")
    every = max(1, steps // 30)  # so that as many checkpoints are kept early as at the end
    often = {"trainer.save_freq": every, "trainer.test_freq": every, "trainer.max_actor_ckpt_to_keep": KEPT}
    words = write_recipe(work, place, steps, **often)
    until = time.monotonic() + HOURS * 3600
    with tempfile.TemporaryDirectory(prefix="torture") as temporary:
        return _long_run(words, place, Path(temporary), steps, until)


def _long_run(words: Sequence[str], place: Path, temporary: Path, steps: int, until: float) -> Record:
    shared = names_in(SHARED)
    with running(place, ["env", f"TMPDIR={temporary}", RAYS_HISTORY, *words], place / LOG) as process:
        early = watch(process, place, max(steps // 6, min(6, steps // 2)), until)
        late = watch(process, place, steps - 1, until)
        code = process.wait(LONGEST)
        left = orphans(process, place)
    if code != 0:
        raise TroubleError(f"the long run of verl ended with exit code {code}; what it said is in {place / LOG}")
    failures = [*grown(early, late), *(f"still there after the end: {orphan}" for orphan in left)]
    told = len({line["step"] for line in lines_of(place / CHECKPOINTS / METRICS) if line["kind"] == "step"})
    logs = len(list((place / ROLLOUTS).iterdir()))
    for what, number in (("told", told), ("logged", logs)):
        if number != steps:
            failures.append(f"{number} steps were {what}, {steps} were done")
    locks = {path.name for path in temporary.glob(LOCKS) if not path.stat().st_size}
    caches = {path.name for path in temporary.glob(CACHES)}
    behind = {SHARED: shared_left(shared), temporary: names_in(temporary) - locks - caches}
    failures += [f"left in {folder}: {', '.join(sorted(names)[:5])}" for folder, names in behind.items() if names]
    figures: dict[str, float] = {"steps told": told, "logs of steps": logs, "empty lock files of verl": len(locks)}
    for when, found in (("early", early), ("late", late)):
        figures |= {f"{when} {name}": value for name, value in found.items()}
    return Record(f"{steps} steps of verl", figures=figures, failures=tuple(failures))


def watch(process: subprocess.Popen[bytes], place: Path, step: int, until: float) -> dict[str, float]:
    """Wait for a step; its files and the memory of every kind of process then."""
    path = place / CHECKPOINTS / METRICS
    while process.poll() is None and time.monotonic() < until:
        if path.exists() and any(line["kind"] == "step" and line["step"] >= step for line in lines_of(path)[-3:]):
            return files_of(place) | memory(process, place)
        time.sleep(0.2)
    raise TroubleError(f"verl did not get to step {step}; what it said is in {place / LOG}")


def memory(process: subprocess.Popen[bytes], place: Path) -> dict[str, float]:
    """MB by kind of process, and of all; what several share counts for each."""
    found: dict[str, float] = defaultdict(float)
    for other in of_run(process, place):
        with suppress(psutil.Error):
            found[f"{kind(other)} MB"] += other.memory_info().rss / 1e6
    return dict(found) | {"all MB": sum(found.values())}


def kind(process: psutil.Process) -> str:
    words = process.cmdline() or [process.name()]
    if words[0].startswith("ray::"):
        return words[0].partition(".")[0].split()[0]
    return "trainer" if any("main_ppo" in word for word in words) else process.name()


def grown(early: Mapping[str, float], late: Mapping[str, float]) -> list[str]:
    """What is more by more than it may; a kind of process that is there at the end only is in the sum of all."""
    most = {name: max(MOST * early[name], early[name] + MOST_MB) for name in early if name.endswith(" MB")}
    most |= {"files": early["files"], "bytes of files": MOST_BYTES * early["bytes of files"]}
    return [
        f"{name} grew from {early[name]:,.0f} to {late[name]:,.0f}"
        for name in sorted(most.keys() & late.keys())
        if late[name] > most[name]
    ]


def files_of(place: Path) -> dict[str, float]:
    """Files and bytes, but of what grows by a line a step, and of what verl leaves of a checkpoint it thins out."""
    files = {Path(name): size for name, (_, size) in standing(place).items()}
    of_steps = (place / LOG, place / CHECKPOINTS / METRICS)
    sizes = [
        size
        for path, size in files.items()
        if path.name != VERLS_OWN and path not in of_steps and not path.is_relative_to(place / ROLLOUTS)
    ]
    return {"files": len(sizes), "bytes of files": sum(sizes)}


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def shared_left(before: set[str]) -> set[str]:
    """New in shared memory, and held by nobody: others may work on this machine at the same time."""
    new = names_in(SHARED) - before
    held = ""
    for maps in Path("/proc").glob("[0-9]*/maps") if new else ():
        with suppress(OSError):
            held += maps.read_text(errors="replace")
    return {name for name in new if name not in held}
