"""Checkpoints of an SFT run as files: which are whole, which are best, and the mean of several."""

import json
import logging
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from curriculum_verl.curriculum.decisions import Transition
from curriculum_verl.errors import InputError
from curriculum_verl.runs.metrics_file import METRICS
from curriculum_verl.runs.stage_checkpoints import STATE

logger = logging.getLogger(__name__)

TRAINER_STATE = "trainer_state.json"  # the last file of a checkpoint that the Trainer writes
SETTINGS = "sft.json"  # beside the curriculum's state: what a run must not change on its way
SCORE = "eval_score"


def checkpoints(root: Path) -> list[Path]:
    """The checkpoints of a run that are whole, oldest first; one that was being written at a kill is none."""
    found = [path for path in root.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit() and is_whole(path)]
    return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int:
    """The step that it was written after."""
    return int(checkpoint.name.rpartition("-")[2])


def is_whole(checkpoint: Path) -> bool:
    """Whether both the curriculum's state and the Trainer's are there."""
    try:
        json.loads((checkpoint / TRAINER_STATE).read_text())
    except (OSError, ValueError):
        return False
    return (checkpoint / STATE).is_file()


def find_checkpoint(root: Path, resume: str | None) -> Path | None:
    """The checkpoint to go on from; a run that would write over another is refused."""
    if resume not in (None, "auto"):
        folder = Path(str(resume))
        if not is_whole(folder):
            raise InputError(f"--resume {folder}: expected a checkpoint folder with {TRAINER_STATE} and {STATE}")
        return folder
    found = checkpoints(root)
    if resume is None and (found or (root / METRICS).exists()):
        raise InputError(f"{root}: holds a run; go on with it by --resume, or choose another training.output")
    if resume is not None and not found:
        logger.warning("%s: holds no checkpoint to go on from; the run begins at step 1", root)
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
