"""Going on from a checkpoint: whose folder it is, what differs from the run that wrote it, what must be there."""

import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curriculum_verl.errors import InputError, StateError
from curriculum_verl.locks import LOCK, lock
from curriculum_verl.runs.stage_checkpoints import STATE, keep_checkpoint, require_checkpoint
from curriculum_verl.sft.checkpoints import SETTINGS, checkpoints, is_whole, numbered, step_of
from curriculum_verl.sft.config import SftConfig
from curriculum_verl.sft.trainer import CurriculumTrainer

logger = logging.getLogger(__name__)

SUPERSEDED = "superseded"  # checkpoints of steps that a resumed run does anew
# Of the training block: what may change from one start to the next, as hardly anything that is learned depends on it.
FREE = {
    *("output", "max_steps", "device_batch_size", "gradient_checkpointing", "fsdp", "eval_every", "save_every"),
    *("log_every", "keep", "early_stopping", "trackers", "metrics_file", "resume", "final"),
}


@contextmanager
def locked(root: Path, *, first: bool) -> Iterator[None]:
    """One run at a time in a folder; its first process holds the lock."""
    if not first:
        yield
        return
    with lock(root / LOCK, f"{root}: another run trains there; wait for it, or choose another training.output"):
        yield


def identity(config: SftConfig, data: Mapping[str, str]) -> dict[str, Any]:
    """What makes a run this run, as plain values; `data` are hashes of what it learns from and is judged by."""
    known = asdict(config)
    training = {name: value for name, value in known["training"].items() if name not in FREE}
    kept = {name: known["data"][name] for name in ("buckets", "max_length", "overlong", "packing")}
    parts = {"model": known["model"], "lora": known["lora"], "training": training, "data": kept | dict(data)}
    parts["evaluation"] = {"score": config.evaluation.score}
    plain: dict[str, Any] = json.loads(json.dumps(parts, default=str))
    return plain


def differences(saved: Mapping[str, Any], present: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Every setting that is not the same, in words."""
    for name in [*saved, *(name for name in present if name not in saved)]:
        before, now = saved.get(name), present.get(name)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from differences(before, now, f"{path}{name}.")
        elif before != now:
            yield f"{path}{name}: saved {before!r}, now {now!r}"


def require_same_run(checkpoint: Path, present: Mapping[str, Any], *, force: bool) -> None:
    """Refuse a checkpoint of a run that learned otherwise; with force it is said and taken."""
    try:
        saved = json.loads((checkpoint / SETTINGS).read_text())
    except (OSError, ValueError) as error:
        raise StateError(f"{checkpoint / SETTINGS}: cannot be read: {error}; resume from another checkpoint") from error
    found = list(differences(saved, present))
    if found and not force:
        lines = "\n  ".join(found)
        raise StateError(
            f"{checkpoint}: is of a run with other settings:\n  {lines}\n"
            "take those of that run, or training.resume=force to go on with the present ones"
        )
    for difference in found:
        logger.warning("the resumed run differs: %s", difference)


def later_checkpoints(root: Path, checkpoint: Path, step: int) -> list[Path]:
    """What the folder has of later steps, which are done anew; a folder of another run is refused."""
    found = checkpoints(root)
    if found and not checkpoint.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{root}: holds another run; choose another training.output to go on from {checkpoint}")
    return [path for path in found if step_of(path) > step]


def half_removed(root: Path, step: int) -> list[Path]:
    """What a kill has left of earlier checkpoints that were being removed: rotation would take them for new ones."""
    return [path for path in numbered(root) if step_of(path) < step and not is_whole(path)]


def set_aside(paths: Iterable[Path]) -> None:
    """Move them away: neither rotation nor a mean may take them for the run's own."""
    for path in paths:
        target = path.parent / SUPERSEDED / path.name
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
        logger.warning("%s: is of a later step, or not whole, and now in %s", path.name, target.parent)


def restore_stage(trainer: CurriculumTrainer, checkpoint: Path, step: int) -> None:
    """The checkpoint of the stage's beginning, which a rollback of weights would need, if a kill came before it."""
    curriculum = trainer.curriculum
    last = curriculum.transitions[-1] if curriculum.transitions else None
    wanted = curriculum.config.rollback is not None and curriculum.config.rollback.restore == "weights"
    if last is None or not curriculum.config.checkpoint_stages or not (wanted or last.step == step):
        return
    folder = trainer.stage_folder(curriculum.stage_number, last.step)
    if is_whole(folder):
        return
    kept = checkpoint.parent.joinpath(*folder.relative_to(trainer.root).parts)
    source = checkpoint if last.step == step else kept
    if wanted:
        require_checkpoint(source, is_whole)
    if is_whole(source) and trainer.args.should_save:
        keep_checkpoint(source, folder, lambda into: _copy_state(source, into))


def _copy_state(source: Path, into: Path) -> None:
    """The curriculum's own files are copied and never shared."""
    for file in source.glob(f"{STATE}*"):
        shutil.copy2(file, into)
