"""Files cut off at random bytes: whoever reads them gets all, or an error in words; never a part, never a traceback."""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from torture.outcome import Record
from torture.tools import TOOLS, inputs_of, undisturbed
from torture.work import Work

from curriculum_verl.bucketing.manifest import read_bucket_manifest
from curriculum_verl.curriculum.state import read_state, write_state
from curriculum_verl.errors import CurriculumError
from curriculum_verl.manifest import check_files, read_manifest, read_prompts
from curriculum_verl.runs.history import read_history
from curriculum_verl.runs.metrics_file import MetricsFile
from curriculum_verl.trajectories.manifest import read_trajectory_manifest

CUTS = 200  # positions of each file


def _failures(path: Path, read: Callable[[], object], rng: Random, *, may_read: bool = False) -> tuple[str, ...]:
    """Cut the file everywhere; `may_read`: a reader that takes what is whole of it."""
    content, found = path.read_bytes(), []
    for at in sorted(rng.sample(range(len(content)), min(CUTS, len(content)))):
        path.write_bytes(content[:at])
        try:
            read()
            if not may_read and content[at:].strip():
                found.append(f"{path.name} cut off after byte {at} was read as if it were whole")
        except CurriculumError as error:
            if path.name not in str(error):
                found.append(f"{path.name} cut off after byte {at}: the message does not name it: {error}")
        except Exception as error:  # what a user would get as a traceback is just what is looked for
            found.append(f"{path.name} cut off after byte {at}: {type(error).__name__}: {error}")
    path.write_bytes(content)
    read()
    return tuple(found)


def data(work: Work) -> Record:
    """The manifest of the data, its side file and its parquet, as a training run checks them."""
    tool = next(tool for tool in TOOLS if tool.name == "preprocess")
    folder = _copy(undisturbed(work, tool)[0] / "plain", work)

    def read() -> None:
        manifest = read_manifest(folder / "manifest.json")
        check_files(manifest, folder)
        read_prompts(manifest, folder)

    names = ("manifest.json", "prompts.npy", "easy_train.parquet")
    return _record("the files of preprocessed data", work, folder, read, *names)


def buckets(work: Work) -> Record:
    folder = _copy(inputs_of(work) / "bucketed", work)
    return _record("a bucket folder", work, folder, lambda: read_bucket_manifest(folder), "manifest.json", "easy.jsonl")


def trajectories(work: Work) -> Record:
    tool = next(tool for tool in TOOLS if tool.name == "score-trajectories")
    folder = _copy(undisturbed(work, tool)[0] / "plain", work)
    names = ("manifest.json", "trajectories.jsonl")
    return _record("scored trajectories", work, folder, lambda: read_trajectory_manifest(folder), *names)


def state(work: Work) -> Record:
    folder = work.fresh("cut")
    path = folder / "curriculum.json"
    write_state(path, {"step": 3, "policy": {"wins": np.arange(50.0)}, "seen": list(range(40))})
    arrays = next(folder.glob("*.npz")).name
    return _record("a curriculum's state", work, folder, lambda: read_state(path), path.name, arrays)


def metrics(work: Work) -> Record:
    """A reader takes the whole lines; a writer goes on behind a torn one."""
    path = work.fresh("cut") / "curriculum.jsonl"
    file = MetricsFile(path)
    file.write("start", 0, stages=["one"], buckets=["easy"], rollouts=None)
    for step in range(1, 9):
        file.write("step", step, stage="one", metrics={"train/score": step / 8})
    content = path.read_bytes()

    def read() -> None:
        """Every whole step, and at most the one beside that lacks only the end of its line."""
        lines, steps = path.read_bytes().count(b'"kind":"step"'), len(read_history(path).steps)
        if not lines - 1 <= steps <= lines:
            raise AssertionError(f"{steps} steps were read of {lines}")

    failures = list(_failures(path, read, work.random("metrics"), may_read=True))
    for at in range(len(content)):
        path.write_bytes(content[:at])
        file.write("step", 99, stage="one", metrics={})
        lines = path.read_bytes().splitlines()
        if lines[:-1] != content[:at].splitlines() or b'"step":99' not in lines[-1]:
            failures.append(f"cut off after byte {at}, the next line was not written as one of its own")
    return Record("a metrics file cut off everywhere", figures={"cuts": len(content)}, failures=tuple(failures[:20]))


def _record(what: str, work: Work, folder: Path, read: Callable[[], object], *names: str) -> Record:
    found = [failure for name in names for failure in _failures(folder / name, read, work.random(what, name))]
    return Record(f"{what} cut off at random bytes", figures={"files": len(names)}, failures=tuple(found[:20]))


def _copy(source: Path, work: Work) -> Path:
    folder = work.fresh("cut")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    return folder


FAULTS: tuple[Callable[[Work], Record], ...] = (data, buckets, trajectories, state, metrics)
