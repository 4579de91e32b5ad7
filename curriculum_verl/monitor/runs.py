"""The runs that are watched: each a metrics file, its rollout log, and a name to call it by."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curriculum_verl.errors import InputError
from curriculum_verl.monitor.rollouts import RolloutFolder
from curriculum_verl.runs.history import FollowedRun, History

METRICS = "curriculum.jsonl"
PLACES = ("", "checkpoints", "run", "run/checkpoints")  # of a run's folder where the file usually is


@dataclass(slots=True)
class Run:
    """A run under a name; `given` is the folder of rollouts that the user named, in place of what the file says."""

    name: str
    followed: FollowedRun
    given: Path | None = None
    _rollouts: RolloutFolder | None = None

    @property
    def history(self) -> History:
        """What the file told so far."""
        return self.followed.history

    @property
    def rollouts(self) -> RolloutFolder | None:
        """The rollout log; None as long as the file names none."""
        said = self.history.rollouts
        folder = self.given or (None if said is None else self.followed.path.parent / said)
        if folder is None:
            return None
        if self._rollouts is None or self._rollouts.folder != folder:
            self._rollouts = RolloutFolder(folder)
        return self._rollouts

    def rollout_steps(self) -> list[int]:
        """The steps whose responses can be looked at; those of an earlier process after the present step are void."""
        steps = self.rollouts.steps() if self.rollouts is not None else []
        return [step for step in steps if not self.history.starts or step <= self.history.step]


def open_runs(folders: Sequence[Path], files: Sequence[Path], rollouts: Path | None) -> list[Run]:
    """The runs of these folders and metrics files; a file that is not there yet is waited for."""
    paths = [*map(find_metrics, folders), *files]
    if not paths:
        raise InputError("got no run; name the folder of one, or a metrics file with --metrics")
    if rollouts is not None and len(paths) > 1:
        raise InputError("--rollouts: got several runs; the rollouts of each stand in its metrics file")
    if rollouts is not None and not rollouts.is_dir():
        raise InputError(f"--rollouts: there is no folder {rollouts}")
    unique = {path.absolute(): path for path in paths}
    named = zip(names_of(list(unique)), unique.values(), strict=True)
    return [Run(name, FollowedRun(path), rollouts) for name, path in named]


def find_metrics(folder: Path) -> Path:
    """The metrics file of a run's folder, or where one will be when the run begins."""
    if not folder.is_dir():
        what = "a file; name it with --metrics" if folder.exists() else "no folder"
        raise InputError(f"{folder}: got {what}, expected the folder of a run, with {METRICS} in it")
    places = [folder / place / METRICS for place in PLACES]
    return next((path for path in places if path.is_file()), places[0])


def names_of(paths: Sequence[Path]) -> list[str]:
    """Short names that differ: the last folders, as many as it takes, without one for checkpoints."""
    whole = [path.parent.parts if path.name == METRICS else (*path.parent.parts, path.stem) for path in paths]
    parts = [part[:-1] if part[-1] == "checkpoints" and len(part) > 2 else part for part in whole]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return list(map(str, paths))
