"""The runs that are watched: each a metrics file, its rollout log, and a name to call it by."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curriculum_verl.errors import InputError
from curriculum_verl.monitor.rollouts import RolloutFolder
from curriculum_verl.runs.history import FollowedRun, History
from curriculum_verl.runs.metrics_file import METRICS, find_metrics


@dataclass(slots=True)
class Run:
    """A run under a name, with its place among those that are watched, by which it is told apart in pictures.

    `given` is the folder of rollouts that the user named, in place of what the file says.
    """

    name: str
    followed: FollowedRun
    given: Path | None = None
    place: int = 0
    among: int = 1
    _rollouts: RolloutFolder | None = None

    @property
    def history(self) -> History:
        """What the file told so far."""
        return self.followed.history

    def is_there(self) -> bool:
        """Whether there is a file, or something that one may not look at, which reading it will tell."""
        try:
            return self.followed.path.is_file()
        except PermissionError:
            return True

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
    if rollouts is not None and not _is_folder(rollouts):
        raise InputError(f"--rollouts: there is no folder {rollouts}, or you may not look there")
    unique = {path.absolute(): path for path in paths}
    named = zip(names_of(list(unique)), unique.values(), strict=True)
    return [Run(name, FollowedRun(path), rollouts, at, len(unique)) for at, (name, path) in enumerate(named)]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except PermissionError:
        return False


def names_of(paths: Sequence[Path]) -> list[str]:
    """Short names that differ: the last folders, as many as it takes, without one for checkpoints."""
    whole = [path.parent.parts if path.name == METRICS else (*path.parent.parts, path.stem) for path in paths]
    parts = [part[:-1] if part[-1] == "checkpoints" and len(part) > 2 else part for part in whole]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return list(map(str, paths))
