"""The metrics file: one JSON line for each thing that happened, only ever appended to, for a monitor to follow.

{"kind": "start", "step": 0, "time": ..., "stages": [...], "ends": {...}, "buckets": [...], "rollouts": null}
    a process begins after this step; what ends each stage, in words; where its rollout log is, seen from the file
{"kind": "step", "step": 1, "time": ..., "stage": "easy", "exit": [...], "metrics": {...}}
    all that verl logs of a step, and how far each test is that can end the stage: metric, test, value, threshold, met
{"kind": "advance", "step": 8, "time": ..., "source": ..., "target": ..., "reason": ..., "before": ..., "after": ...}
{"kind": "alert", "step": 9, "time": ..., "name": "kl", "reason": "actor/ppo_kl over 10 above 0.2 (0.31)"}
    a rule of the recipe's `alerts` has become met
Further kinds: validation (its metrics, before the line of its step), rollback, alarm (a bucket that is being
forgotten), warning, stop (the recipe ends the run), end (the run has ended by itself). After a resume, what an earlier
process said of later steps is void.
"""

import logging
import math
import os
import time
from collections.abc import Mapping
from numbers import Number
from pathlib import Path
from typing import Any

import msgspec

from curriculum_verl.errors import InputError

METRICS = "curriculum.jsonl"  # its usual name
PLACES = ("", "checkpoints", "run", "run/checkpoints")  # of a run's folder where it usually is
logger = logging.getLogger(__name__)


class MetricsFile:
    """Appends whole lines. A line that cannot be written is an error in the log, not the end of a training run."""

    def __init__(self, path: Path):
        self._path = path

    def write(self, kind: str, step: int, **content: Any) -> None:
        """Append one line."""
        line = msgspec.json.encode({"kind": kind, "step": step, "time": time.time(), **content}) + b"\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                size = os.fstat(descriptor).st_size
                torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"  # by a process that was killed
                os.write(descriptor, b"\n" + line if torn else line)
            finally:
                os.close(descriptor)
        except OSError as error:
            logger.error("%s: a line of metrics is lost: %s", self._path, error)


def find_metrics(folder: Path) -> Path:
    """The metrics file of a run's folder, or where one will be when the run begins."""
    places = [folder / place / METRICS for place in PLACES]
    try:
        if not folder.is_dir():
            what = "a file; name it with --metrics" if folder.exists() else "no folder"
            raise InputError(f"{folder}: got {what}, expected the folder of a run, with {METRICS} in it")
        return next((path for path in places if path.is_file()), places[0])
    except PermissionError as error:
        raise InputError(
            f"{folder}: got a folder that you may not look into ({error.filename}), expected the folder of a run; "
            "change the rights, or run this as whoever trains"
        ) from None


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are finite numbers, as plain ones."""
    return {name: value for name, value in any_numbers(metrics).items() if math.isfinite(value)}


def any_numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are numbers, finite or not."""
    return {name: float(value) for name, value in metrics.items() if _is_number(value)}


def _is_number(value: Any) -> bool:
    """Python's and NumPy's numbers, and tensors or arrays of one."""
    return isinstance(value, Number) or (hasattr(value, "item") and getattr(value, "size", None) == 1)
