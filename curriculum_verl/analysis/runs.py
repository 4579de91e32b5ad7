"""What a run logged: the files of its rollouts, the names of its stages, its buckets from easiest to hardest."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curriculum_verl.analysis.selection import Selection
from curriculum_verl.bucketing.manifest import NAME, read_bucket_manifest
from curriculum_verl.errors import InputError
from curriculum_verl.manifest import manifest_kind
from curriculum_verl.rollouts.fields import Fields
from curriculum_verl.rollouts.files import rollout_files
from curriculum_verl.runs.history import read_history
from curriculum_verl.runs.lines import Line
from curriculum_verl.runs.metrics_file import find_metrics
from curriculum_verl.words import counted

_STEP_FILE = re.compile(r"rollout_(\d+)\.jsonl$")
_NAME = re.compile(r"[\w.@+:-]+")
_SET = (
    "set curriculum.rollout_log: FOLDER in the recipe and train again, or sample fresh trajectories of its checkpoints "
    "by --generate --model NAME=CHECKPOINT --data FILES"
)


@dataclass(frozen=True, slots=True)
class Run:
    """A run by its name. `stages` are names by number; a file may stand for a bucket, and so may the id of a prompt."""

    name: str
    files: tuple[Path, ...]
    stages: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    bucket_of_file: Mapping[Path, str] = field(default_factory=dict)
    bucket_of_id: Mapping[str, str] = field(default_factory=dict)
    fields: Fields | None = None  # of its lines; None: those that the user says
    warnings: tuple[str, ...] = ()

    def stage_name(self, stage: Any) -> str:
        """The name of a stage as a line gives it: its number, or its name; empty where it gives none."""
        if isinstance(stage, str):
            return stage
        if not isinstance(stage, int) or isinstance(stage, bool):
            return ""
        return self.stages[stage] if 0 <= stage < len(self.stages) else f"stage {stage}"

    def stage_order(self, found: Sequence[str]) -> list[str]:
        """The stages that were found, in the order of the run."""
        known = [name for name in self.stages if name in found]
        return known + sorted({*found} - {*known}, key=lambda name: [int(d) for d in re.findall(r"\d+", name)] or [0])


def parse_runs(given: Sequence[str]) -> list[tuple[str, Path]]:
    """NAME=PATH, every name once."""
    parsed = []
    for text in given:
        name, found, path = text.partition("=")
        if not found or not _NAME.fullmatch(name) or not path:
            raise InputError(
                f"--runs: got {text!r}, expected NAME=PATH with a name of letters, digits and any of . _ - + @ :, "
                "such as base=runs/base"
            )
        parsed.append((name, Path(path)))
    names = [name for name, _ in parsed]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"--runs: the name {', '.join(twice)} stands twice, expected every name once")
    return parsed


def find_run(name: str, path: Path, selection: Selection) -> Run:
    """Look for a run's rollouts: by its metrics file, or in the folder or file itself."""
    metrics = _metrics_file(path)
    if metrics is not None:
        return _of_metrics(name, metrics, selection)
    if path.is_dir() and manifest_kind(path / NAME) == "buckets":
        buckets = read_bucket_manifest(path).buckets
        files = {path / file.path: bucket.name for bucket in buckets for file in bucket.files}
        return Run(name, tuple(files), buckets=tuple(bucket.name for bucket in buckets), bucket_of_file=files)
    return Run(name, _wanted(rollout_files([path]), selection, path))


def _metrics_file(path: Path) -> Path | None:
    if path.is_dir():
        found = find_metrics(path)
        return found if found.is_file() else None
    if not path.is_file() or path.suffix != ".jsonl":
        return None
    with path.open("rb") as file:
        return path if file.read(256).lstrip().startswith((b'{"kind":"start"', b'{"kind": "start"')) else None


def _of_metrics(name: str, metrics: Path, selection: Selection) -> Run:
    history = read_history(metrics)
    folder, last = _log_of(history.starts)
    if folder is None:
        raise InputError(f"{metrics}: names no rollout log: the run kept none; {_SET}")
    rollouts = metrics.parent / folder
    if not rollouts.is_dir():
        raise InputError(
            f"{metrics}: says that the rollouts are in {rollouts}, where there is no folder; put it back, or name the "
            f"folder of the rollouts itself: {name}=FOLDER"
        )
    done = {None, *(step for step in history.steps.tolist() if step <= last)}
    files = rollout_files([rollouts])
    kept = [file for file in files if _step_of(file) in done]
    if not kept:
        raise InputError(
            f"{metrics}: tells of no step whose rollouts are in {rollouts}, expected those of one step or more; train "
            f"on, or name the folder of the rollouts itself, whatever became of their steps: {name}=FOLDER"
        )
    warnings = []
    if void := [file.name for file in files if _step_of(file) not in done]:
        warnings.append(
            f"{name}: {counted(len(void), 'file')} left out, of steps that the run did not finish or took back when "
            f"it was resumed ({', '.join(void)[:200]})"
        )
    wanted = _wanted(kept, selection, rollouts)
    return Run(name, wanted, tuple(history.stages), tuple(history.buckets), warnings=tuple(warnings))


def _log_of(starts: Sequence[Line]) -> tuple[str | None, float]:
    """The folder of the latest rollout log, and the step after which a resumed run kept none."""
    last = math.inf
    for start in reversed(starts):
        if start.rollouts is not None:
            return start.rollouts, last
        last = start.step
    return None, last


def _wanted(files: Sequence[Path], selection: Selection, place: Path) -> tuple[Path, ...]:
    """The files that may have a step that is looked at; where names say nothing of steps, all of them."""
    wanted = [file for file in files if (step := _step_of(file)) is None or selection.may_have(step)]
    if not wanted:
        steps = [step for file in files if (step := _step_of(file)) is not None]
        raise InputError(f"--steps: {place} has steps {min(steps)} to {max(steps)}, none of those asked for")
    return tuple(wanted)


def _step_of(file: Path) -> int | None:
    found = _STEP_FILE.match(file.name)
    return int(found[1]) if found else None
