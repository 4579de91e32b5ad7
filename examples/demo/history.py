"""What verl has dumped of every validation; the rest of a run's past is read by curriculum_verl.runs.history."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec


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
        whole, _, _ = path.read_bytes().rpartition(b"\n")  # a kill may have torn the last line
        for line in msgspec.json.Decoder().decode_lines(whole):
            passed[line["bucket"]][line["input"]] = bool(line["success"])
        found.append(Validation(int(path.stem), {bucket: passed[bucket] for bucket in buckets}))
    return found
