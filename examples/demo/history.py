"""What a training run has left: its metrics file by step, and verl's dumps of every validation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

TRANSITIONS = ("advance", "rollback")


@dataclass(slots=True)
class History:
    """Stage and metrics by step, and the switches between stages. What a resumed run did again counts once."""

    stages: list[str] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)
    stage_at: dict[int, str] = field(default_factory=dict)  # after the step
    metrics: dict[int, dict[str, float]] = field(default_factory=dict)
    transitions: list[dict[str, Any]] = field(default_factory=list)

    def take(self, line: Mapping[str, Any]) -> None:
        """One line of the metrics file."""
        kind, step = line["kind"], line["step"]
        if kind == "start":
            self.stages, self.buckets = line["stages"], line["buckets"]
            self.stage_at = {at: stage for at, stage in self.stage_at.items() if at <= step}
            self.metrics = {at: metrics for at, metrics in self.metrics.items() if at <= step}
            self.transitions = [switch for switch in self.transitions if switch["step"] <= step]
        elif kind == "step":
            self.stage_at[step], self.metrics[step] = line["stage"], line["metrics"]
        elif kind in TRANSITIONS:
            self.transitions.append(dict(line))

    def share(self, bucket: str) -> list[float]:
        """The bucket's share of the batch, by step."""
        return [self.metrics[step].get(f"curriculum/share/{bucket}", 0.0) for step in sorted(self.metrics)]


class Lines:
    """The whole lines of a file that grows, each given once."""

    def __init__(self, path: Path, *, only_new: bool = False):
        self._path = path
        self._read = path.stat().st_size if only_new and path.exists() else 0

    def new(self) -> list[dict[str, Any]]:
        """What was written since the last call. A line that a kill has torn is passed over."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        return [line for text in whole.splitlines() if (line := _decoded(text)) is not None]


def _decoded(text: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return None


def read_history(path: Path) -> History:
    """All that a metrics file says."""
    history = History()
    for line in Lines(path).new():
        history.take(line)
    return history


@dataclass(frozen=True, slots=True)
class Validation:
    """The validation after a step: by bucket, which prompts were answered rightly."""

    step: int
    passed: Mapping[str, Mapping[str, bool]]

    def rate(self, bucket: str) -> float:
        """The share of right answers."""
        return sum(self.passed[bucket].values()) / len(self.passed[bucket])


def read_validations(folder: Path, buckets: Iterable[str]) -> list[Validation]:
    """What verl has dumped, one file a validation, in the order of their steps."""
    found = []
    for path in sorted(folder.glob("*.jsonl"), key=lambda path: int(path.stem)):
        passed: dict[str, dict[str, bool]] = defaultdict(dict)
        for line in Lines(path).new():
            passed[line["bucket"]][line["input"]] = bool(line["success"])
        found.append(Validation(int(path.stem), {bucket: passed[bucket] for bucket in buckets}))
    return found
