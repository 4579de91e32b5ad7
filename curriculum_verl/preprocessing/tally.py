"""What became of every bucket: counted while it is read, and the reasons for which the whole cannot be used."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curriculum_verl.errors import InputError
from curriculum_verl.preprocessing.chunks import CHANGED as FILE_CHANGED
from curriculum_verl.preprocessing.chunks import Chunk
from curriculum_verl.preprocessing.convert import Part
from curriculum_verl.preprocessing.dataset import Rejected
from curriculum_verl.preprocessing.filters import describe
from curriculum_verl.preprocessing.lines import CHANGED, Reject
from curriculum_verl.preprocessing.settings import Settings
from curriculum_verl.words import counted

SHOWN = 3  # overlaps that are named


@dataclass(slots=True)
class Tally:
    """Counts of one bucket; `examples` are places of prompts that also stand in an evaluation set."""

    bucket: str
    prompts: int = 0
    lines: int = 0
    bytes: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    train: int = 0
    validation: int = 0
    best: float = float("-inf")
    without_truth: int = 0
    dumps: int = 0
    overlaps: Counter[int] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    _lines_of: Counter[Path] = field(default_factory=Counter)

    def add(self, chunk: Chunk, part: Part) -> list[Rejected]:
        """Count a chunk; its rejected lines come back with their numbers in the file."""
        before = self._lines_of[chunk.path]
        if part.failure is not None:
            raise InputError(_failure(chunk.path, part.failure, before))
        self._lines_of[chunk.path] += part.lines
        self.lines += part.lines
        self.prompts += len(part.keys)
        self.bytes += chunk.end - chunk.start
        self.removed += part.removed
        self.train += part.train.rows
        self.validation += part.validation.rows
        self.best = max(self.best, part.best)
        self.without_truth += part.without_truth
        self.dumps += part.dumps
        self.overlaps += part.overlaps
        found = [f"{chunk.path}:{before + overlap.line} (id {overlap.id!r})" for overlap in part.overlap_examples]
        self.examples = (self.examples + found)[:SHOWN]
        return [Rejected(str(chunk.path), before + one.line, one.reason, one.message) for one in part.rejects]


def _failure(path: Path, failure: Reject, before: int) -> str:
    where = f"{path}:{before + failure.line}: {failure.message}"
    if failure.reason == CHANGED:
        return f"{where}; {FILE_CHANGED}"
    return f"{where}; mend the rollouts, or leave such prompts out with --on-invalid reject"


def refuse_overlaps(tallies: Sequence[Tally], files: Sequence[Path], settings: Settings) -> None:
    """An error if prompts also stand in evaluation sets, unless that is allowed."""
    if settings.on_benchmark == "error" and any(tally.overlaps for tally in tallies):
        raise InputError(
            f"--benchmark: {describe_overlaps(tallies, files)}\n"
            "nothing was written; --on-benchmark drop leaves them out, --on-benchmark report keeps them"
        )


def describe_overlaps(tallies: Iterable[Tally], files: Sequence[Path]) -> str:
    """How many prompts also stand in which evaluation set, with some of them."""
    tallies = list(tallies)
    overlaps = sum((tally.overlaps for tally in tallies), Counter[int]())
    by_file = ", ".join(f"{files[number]} ({count:,})" for number, count in sorted(overlaps.items()))
    examples = "; ".join([example for tally in tallies for example in tally.examples][:SHOWN])
    return f"found {counted(overlaps.total(), 'prompt')} of an evaluation set: {by_file}; such as {examples}"


def refuse_empty(tallies: Sequence[Tally], settings: Settings, threshold: float) -> None:
    """An error that names every bucket without a prompt for training, with the reasons and what to do."""
    problems = [
        f"  - bucket {tally.bucket}: {_problem(tally, settings, threshold)}" for tally in tallies if not tally.train
    ]
    if problems:
        good = [tally.bucket for tally in tallies if tally.train]
        rest = [f"or leave out what has none: --buckets {' '.join(good)}"] if good else []
        raise InputError("\n".join(["nothing was written, for want of prompts for training:", *problems, *rest]))


def _problem(tally: Tally, settings: Settings, threshold: float) -> str:
    if tally.validation:
        return (
            f"all that is left, {counted(tally.validation, 'prompt')}, falls to validation; use a larger "
            f"--train-val-split than {settings.train_val_split}, another --seed, or --no-val-split"
        )
    removed = ", ".join(f"{count:,} by {reason}" for reason, count in tally.removed.items())
    words = f"nothing is left of {counted(tally.prompts, 'prompt')}; removed: {removed}"
    if tally.removed[f"filter: {settings.filter}"]:
        words += f"; {describe(settings.filter, threshold)}, the best score is {tally.best:g}; use --filter all" + (
            " or a lower --pass-threshold" if settings.filter == "passing_only" else ""
        )
    return words
