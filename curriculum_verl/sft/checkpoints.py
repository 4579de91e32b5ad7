"""Checkpoints of an SFT run as files: which are whole, which are best, and the mean of several."""

import json
import logging
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from curriculum_verl.atomic import replacing
from curriculum_verl.curriculum.decisions import Transition
from curriculum_verl.errors import InputError
from curriculum_verl.runs.metrics_file import METRICS
from curriculum_verl.runs.stage_checkpoints import STATE
from curriculum_verl.schema import shown

logger = logging.getLogger(__name__)

TRAINER_STATE = "trainer_state.json"  # the last file of a checkpoint that the Trainer writes
FILES = "files.json"  # names and sizes of what was written: what is lost or cut off later is no checkpoint
SETTINGS = "sft.json"  # beside the curriculum's state: what a run must not change on its way
SCORE = "eval_score"


def checkpoints(root: Path) -> list[Path]:
    """The checkpoints of a run that are whole, oldest first; one that was being written at a kill is none."""
    return sorted(filter(is_whole, numbered(root)), key=step_of)


def numbered(root: Path) -> list[Path]:
    """All that are named as checkpoints are."""
    return [path for path in root.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit()]


def step_of(checkpoint: Path) -> int:
    """The step that it was written after."""
    return int(checkpoint.name.rpartition("-")[2])


def is_whole(checkpoint: Path) -> bool:
    """Whether a run can go on from it, to the bit."""
    return damage(checkpoint) is None


def damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, in words; None if all that the Trainer and the curriculum wrote is there."""
    try:
        json.loads((checkpoint / TRAINER_STATE).read_text())
        known = json.loads((checkpoint / FILES).read_text()) if (checkpoint / FILES).exists() else {}
    except (OSError, ValueError) as error:
        return f"{TRAINER_STATE} or {FILES} cannot be read: {error}"
    if not isinstance(known, dict) or not all(type(size) is int for size in known.values()):
        return f"{FILES} holds {shown(known)}, expected the size of each file by its name"
    for name, size in ({STATE: None} | known).items():
        file = checkpoint / name
        if not file.is_file():
            return f"{name} is lost"
        if size is not None and file.stat().st_size != size:
            return f"{name} has {file.stat().st_size:,} bytes, expected {size:,}"
    return None


def seal(checkpoint: Path) -> None:
    """Note what the Trainer has written; the curriculum's files have checks of their own."""
    files = (path for path in sorted(checkpoint.rglob("*")) if path.is_file())
    sizes = {str(path.relative_to(checkpoint)): path.stat().st_size for path in files}
    known = {name: size for name, size in sizes.items() if name != FILES and not name.startswith(STATE)}
    with replacing(checkpoint / FILES) as file:
        file.write(json.dumps(known, indent=1).encode())


def find_checkpoint(root: Path, resume: str | None) -> Path | None:
    """The checkpoint to go on from; a run that would write over another is refused."""
    if resume not in (None, "auto"):
        folder = Path(str(resume))
        reason = damage(folder)
        if reason is not None:
            raise InputError(f"--resume {folder}: {reason}; expected a whole checkpoint, such as an earlier one")
        return folder
    found = checkpoints(root)
    if resume is None and (found or (root / METRICS).exists()):
        raise InputError(f"{root}: holds a run; go on with it by --resume, or choose another training.output")
    if resume is not None and not found:
        logger.warning("%s: holds no checkpoint to go on from; the run begins at step 1", root)
    for path in numbered(root):
        if path not in found and (path / TRAINER_STATE).exists():  # else it was being written at a kill
            logger.warning("%s: is damaged and not gone on from: %s", path, damage(path))
    return found[-1] if found else None


def best(
    found: Sequence[Path], history: Sequence[Mapping[str, Any]], count: int, without: Collection[int] = ()
) -> list[Path]:
    """The checkpoints with the best evaluations of their steps, best first; `without` are steps that do not count."""
    scores = {entry["step"]: float(entry[SCORE]) for entry in history if SCORE in entry}
    scored = [
        path for path in found if math.isfinite(scores.get(step_of(path), math.nan)) and step_of(path) not in without
    ]
    return sorted(scored, key=lambda path: (-scores[step_of(path)], -step_of(path)))[:count]


def taken_back(transitions: Sequence[Transition]) -> set[int]:
    """The steps whose weights a rollback of weights threw away; that of the rollback itself holds the older ones."""
    steps: set[int] = set()
    for number, switch in enumerate(transitions):
        if switch.kind == "rollback":
            begun = max(
                (before.step for before in transitions[:number] if before.kind == "advance"), default=switch.step
            )
            steps |= set(range(begun + 1, switch.step))
    return steps


def mean_weights(folders: Sequence[Path]) -> dict[str, torch.Tensor]:
    """The mean of the weights of several checkpoints, of whole models or of adapters."""
    if not folders:
        raise InputError("got no checkpoint to average, expected at least one; see training.final")
    total: dict[str, torch.Tensor] = {}
    kinds: dict[str, torch.dtype] = {}
    for folder in folders:
        weights = _weights(folder)
        if total and weights.keys() != total.keys():
            raise InputError(f"{folder}: holds other weights than {folders[0]}; expected checkpoints of one run")
        for name, value in weights.items():
            kinds[name] = value.dtype
            total[name] = total[name] + value.double() if name in total else value.double()
    return {name: (value / len(folders)).to(kinds[name]) for name, value in total.items()}


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(f"{folder}: holds no *.safetensors; sharded checkpoints cannot be averaged")
    return {name: value for file in files for name, value in load_file(file).items()}
