"""How verl lays out its checkpoints."""

from pathlib import Path
from typing import Any

from curriculum_verl.runs.stage_checkpoints import STATE, state_files

TRACKER = "latest_checkpointed_iteration.txt"  # in which verl marks the latest checkpoint
IN_FLIGHT = "transfer_queue"  # prompts drawn and not yet trained on, of verl's asynchronous modes


def is_whole(checkpoint: Path) -> bool:
    """Whether both the curriculum's state and verl's weights are there."""
    return (checkpoint / STATE).is_file() and (checkpoint / "actor").is_dir()


def resumes_from(trainer: Any) -> Path | None:
    """The checkpoint that a run with these settings would go on from."""
    if trainer.resume_mode == "resume_path":
        return Path(trainer.resume_from_path)
    tracker = Path(trainer.default_local_dir) / TRACKER
    if trainer.resume_mode != "auto" or not tracker.is_file():
        return None
    return tracker.parent / f"global_step_{tracker.read_text().strip()}"


def forget_removed(root: Path, step: int, kept: int | None) -> None:
    """Of checkpoints before this step whose weights verl has removed the curriculum's state is of no use either.

    verl keeps so many. Weights that are not here may be on another machine: of as many none are taken for removed.
    """
    named = ((path.name.rpartition("_")[2], path) for path in root.glob("global_step_*"))
    found = {int(number): path for number, path in named if number.isdigit()}
    earlier = sorted(number for number in found if number < step)
    for number in earlier[: max(0, len(earlier) + 1 - kept)] if kept else ():
        if not (found[number] / "actor").exists():
            for file in state_files(found[number]):
                file.unlink()
