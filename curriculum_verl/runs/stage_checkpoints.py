"""Checkpoints of stages: one for each transition, kept beside the trainer's own under a name that says the stage.

folder = stage_folder(root, 1, "coherence", 120)      # root/stages/01_coherence/global_step_120
keep_checkpoint(root / "global_step_120", folder, finish=lambda into: curriculum.save(into / STATE))
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from curriculum_verl.curriculum.config import Stage
from curriculum_verl.curriculum.decisions import Decision
from curriculum_verl.errors import StateError

STATE, REWARDS = "curriculum.json", "rewards.json"  # in every checkpoint; the second where rewards remember something
STAGES = "stages"


def stage_folder(root: Path, number: int, name: str, step: int) -> Path:
    """Where the checkpoint of a stage that begins after a step is kept; a run can resume from that path."""
    plain = re.sub(r"[^\w.-]+", "_", name)
    return root / STAGES / f"{number:02d}_{plain}" / f"global_step_{step}"


def keep_checkpoint(
    checkpoint: Path, target: Path, finish: Callable[[Path], None], *, without: Sequence[str] = ()
) -> None:
    """Keep a checkpoint's files under another name, with what `finish` writes beside them; complete, or not there.

    The files are shared with the checkpoint (hard links) where the file system can: the trainer may remove its own.
    """
    aside = target.with_name(f".{target.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for file in _files(checkpoint):
        place = file.relative_to(checkpoint)
        if not _is_state(file) and place.parts[0] not in without:
            _link(file, aside / place)
    finish(aside)
    if target.exists():  # of a run that was killed after it, and has come here again
        shutil.rmtree(target)
    aside.rename(target)


def unshare(checkpoint: Path) -> None:
    """Remove what a checkpoint shares with a stage's, so that writing the checkpoint again leaves that one alone."""
    for file in _files(checkpoint):
        if file.stat().st_nlink > 1:
            file.unlink()


def require_checkpoint(folder: Path, is_whole: Callable[[Path], bool]) -> Path:
    """The folder, if a checkpoint with weights is there."""
    if not is_whole(folder):
        raise StateError(
            f"{folder}: the checkpoint of the stage that is rolled back is not there; "
            "keep the stages folder of a run that has rollback.restore: weights, on a file system that every node sees"
        )
    return folder


def begins_stage(decision: Decision) -> bool:
    """Whether to keep a checkpoint: not if an advance was taken back at once, by the weights that it was made with."""
    changed = decision.restore_step is not None or (
        bool(decision.transitions) and decision.transitions[0].source != decision.transitions[-1].target
    )
    return decision.checkpoint and changed


def restored_checkpoint(
    root: Path, stages: Sequence[Stage], decision: Decision, is_whole: Callable[[Path], bool]
) -> Path:
    """The checkpoint of a rollback of weights: that from which the stage that is left began."""
    assert decision.restore_step is not None  # or there is none
    left = decision.transitions[-1].source
    number = [stage.name for stage in stages].index(left)
    return require_checkpoint(stage_folder(root, number, left, decision.restore_step), is_whole)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file()) if folder.is_dir() else iter(())


def state_files(checkpoint: Path) -> list[Path]:
    """What a checkpoint has of the curriculum."""
    return [file for file in checkpoint.iterdir() if _is_state(file)]


def _is_state(file: Path) -> bool:
    """The curriculum's own: JSON, and its arrays."""
    return file.name.startswith((STATE, REWARDS))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links
        shutil.copy2(source, target)
