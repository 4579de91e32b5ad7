"""Which part of the runs is looked at: steps, stages, buckets, prompts."""

from collections.abc import Iterable
from dataclasses import dataclass

from curriculum_verl.errors import InputError


@dataclass(frozen=True, slots=True)
class Selection:
    """What is looked at; None stands for everything. `steps` are the first and the last."""

    steps: tuple[int | None, int | None] | None = None
    stages: frozenset[str] | None = None
    buckets: frozenset[str] | None = None
    prompts: frozenset[str] | None = None

    def left_out(self, step: int | None, stage: str, bucket: str, prompt: str) -> str | None:
        """Why a line is not looked at; None if it is."""
        if self.steps is not None and not self._in_steps(step):
            return "other steps"
        if self.stages is not None and stage not in self.stages:
            return "other stages"
        if self.buckets is not None and bucket not in self.buckets:
            return "other buckets"
        if self.prompts is not None and prompt not in self.prompts:
            return "other prompts"
        return None

    def may_have(self, step: int) -> bool:
        """Whether lines of a step are looked at."""
        return self.steps is None or self._in_steps(step)

    def _in_steps(self, step: int | None) -> bool:
        assert self.steps is not None
        first, last = self.steps
        return step is not None and (first is None or step >= first) and (last is None or step <= last)


def parse_steps(text: str) -> tuple[int | None, int | None]:
    """FROM:TO, both included; either may be missing, and one number is one step."""
    parts = text.split(":")
    if len(parts) > 2 or not any(parts) or not all(part.isdecimal() or not part for part in parts):
        raise InputError(f"--steps: got {text!r}, expected FROM:TO, FROM:, :TO or one step, such as 100:200")
    first, last = (int(part) if part else None for part in (parts[0], parts[-1]))
    if first is not None and last is not None and first > last:
        raise InputError(f"--steps: got {text!r}, expected the first step before the last")
    return first, last


def parse_ids(given: Iterable[str]) -> frozenset[str] | None:
    """Ids of prompts, by themselves or several with commas between them."""
    ids = frozenset(part.strip() for text in given for part in text.split(",") if part.strip())
    return ids or None
