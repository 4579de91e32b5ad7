"""Many steps of GRPO in verl on a CPU: memory flat, files bounded, nothing left behind."""

import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from torture.grpo import CHECKPOINTS, LOG, ROLLOUTS, write_recipe
from torture.outcome import Record, TroubleError
from torture.processes import LONGEST
from torture.runs import METRICS, lines_of
from torture.work import Work

from examples.demo.launching import running

KEPT = 2  # checkpoints
# Ray's server keeps what it knows of the last 100,000 tasks, and so grows for hours, with a curriculum or without.
RAYS_HISTORY = "RAY_task_events_max_num_task_in_gcs=1000"
MOST, MOST_MB = 1.15, 60.0  # the memory of a kind of process may be so many times what it was, or so much more
SHARED = Path("/dev/shm")
VERLS_OWN = "data.pt"
LOCKS = "ckpt_*.lock"  # verl/utils/fs.py leaves an empty one in the temporary folder for each checkpoint
CACHES = "torchinductor_*"  # which torch keeps for the next run, by user
HOURS = 3  # in which all steps must be done
PATIENCE = 30.0  # seconds that processes have to end after the trainer


def next_run(work: Work, records: Sequence[Record]) -> Record | None:
    if records:
        return None
    steps, place = work.real_steps, work.fresh("place-real")
    every = max(1, steps // 30)  # so that as many checkpoints are kept early as at the end
    often = {"trainer.save_freq": every, "trainer.test_freq": every, "trainer.max_actor_ckpt_to_keep": KEPT}
    words = write_recipe(work, place, steps, **often)
    temporary = Path(tempfile.mkdtemp(prefix="torture"))
    shared = names_in(SHARED)
    with running(place, ["env", f"TMPDIR={temporary}", RAYS_HISTORY, *words], place / LOG) as process:
        early = watch(process, place, max(steps // 6, min(6, steps // 2)))
        few = files_of(place)
        late = watch(process, place, steps - 1)
        code = process.wait(LONGEST)
        orphans = still_there(place)
    if code != 0:
        raise TroubleError(f"the long run of verl ended with exit code {code}; what it said is in {place / LOG}")
    failures = [*grown(early, late), *(f"still there after the end: {orphan}" for orphan in orphans)]
    many = files_of(place)
    if many > few:
        failures.append(f"files beside logs of steps: {few} early, {many} at the end")
    locks = {path.name for path in temporary.glob(LOCKS) if not path.stat().st_size}
    caches = {path.name for path in temporary.glob(CACHES)}
    left = {SHARED: shared_left(shared), temporary: names_in(temporary) - locks - caches}
    failures += [f"left behind in {folder}: {', '.join(sorted(names)[:5])}" for folder, names in left.items() if names]
    shutil.rmtree(temporary, ignore_errors=True)
    told = len({line["step"] for line in lines_of(place / CHECKPOINTS / METRICS) if line["kind"] == "step"})
    logs = len(list((place / ROLLOUTS).iterdir()))
    figures: dict[str, float] = {"steps told": told, "logs of steps": logs, "empty lock files of verl": len(locks)}
    figures |= {"early files": few, "late files": many}
    figures |= {f"{when} {name} MB": mb for when, by in (("early", early), ("late", late)) for name, mb in by.items()}
    return Record(f"{steps} steps of verl", figures=figures, failures=tuple(failures))


def watch(process: subprocess.Popen[bytes], place: Path, step: int) -> dict[str, float]:
    """Wait for a step; the memory of every kind of process then."""
    path = place / CHECKPOINTS / METRICS
    until = time.monotonic() + HOURS * 3600
    while process.poll() is None and time.monotonic() < until:
        if path.exists() and any(line["kind"] == "step" and line["step"] >= step for line in lines_of(path)[-3:]):
            return memory(place)
        time.sleep(0.2)
    raise TroubleError(f"verl did not get to step {step}; what it said is in {place / LOG}")


def memory(place: Path) -> dict[str, float]:
    """MB by kind of process; what several share counts for each."""
    found: dict[str, float] = defaultdict(float)
    for process in of_run(place):
        with suppress(psutil.Error):
            found[kind(process)] += process.memory_info().rss / 1e6
    return dict(found)


def kind(process: psutil.Process) -> str:
    words = process.cmdline() or [process.name()]
    if words[0].startswith("ray::"):
        return words[0].partition(".")[0].split()[0]
    return "trainer" if any("main_ppo" in word for word in words) else process.name()


def of_run(place: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.cwd() == str(place.resolve()) and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def still_there(place: Path) -> list[str]:
    """Processes that have not ended some time after the trainer did."""
    until = time.monotonic() + PATIENCE
    while (left := [process.name() for process in of_run(place)]) and time.monotonic() < until:
        time.sleep(0.5)
    return left


def grown(early: Mapping[str, float], late: Mapping[str, float]) -> list[str]:
    return [
        f"memory of {name} grew from {early[name]:,.0f} to {late[name]:,.0f} MB"
        for name in sorted(early.keys() & late.keys())
        if late[name] > max(MOST * early[name], early[name] + MOST_MB)
    ]


def files_of(place: Path) -> int:
    """All but the logs of steps, and what verl itself leaves in the folder of every checkpoint it has thinned out."""
    logs = place / ROLLOUTS
    files = (path for path in place.rglob("*") if path.is_file() and not path.is_relative_to(logs))
    return sum(path.name != VERLS_OWN for path in files)


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
