"""Between the passes: which lines make prompts of their own, which belong together, and which are rejected and why."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from curriculum_verl.bucketing.duplicates import SharedKeys, find_shared
from curriculum_verl.bucketing.facts import FACTS, Facts, Measure, read_facts
from curriculum_verl.bucketing.groups import Groups, PooledScores, Sources, gather, grouped
from curriculum_verl.bucketing.scan import Reject, Scanned
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.scores import ScoreReader
from curriculum_verl.words import counted

Place = Callable[[int, int], tuple[str, int]]  # source and line in its piece -> file and line in it


# Why a line is in no bucket, by number; 0 is for one that is.
REASONS = ("", "metric", "too_few_responses", "duplicate")
METRIC, TOO_FEW, DUPLICATE = 1, 2, 3
Reasons = NDArray[np.uint8]


class Judge:
    """Sorts out lines; all single lines must come first, in order, then the groups."""

    def __init__(self, settings: Settings, shared: SharedKeys, sources: Sources, place: Place):
        self._settings, self._shared, self._sources, self._place = settings, shared, sources, place
        self._read = ScoreReader(settings.fields)
        self._measure = Measure(settings)
        self.rejected: Counter[str] = Counter()

    def singles(self, facts: Facts, rejects: BinaryIO) -> Facts:
        """The rows that are prompts by themselves."""
        in_group = grouped(facts, self._shared, self._settings)
        reasons = self._unfit(facts)
        if len(self._shared):
            later = self._shared.later(facts, self._shared.shared(facts) & ~in_group & (reasons == 0))
            reasons[later] = DUPLICATE
        reasons[in_group] = 0
        for number in np.flatnonzero(reasons):
            reject = self._reject(facts[number], int(reasons[number]), None)
            rejects.write(msgspec.json.encode(reject) + b"\n")
        kept: Facts = facts[(reasons == 0) & ~in_group]
        return kept

    def groups(self, groups: Groups, rejects: BinaryIO) -> Groups:
        """The groups that are prompts; the lines of the others are told in the order of the input."""
        reasons = self._unfit(groups.facts)
        pooled = PooledScores(groups, self._sources, self._settings)
        found = [
            self._reject(row, int(reasons[number]), pooled(number))
            for number in np.flatnonzero(reasons).tolist()
            for row in groups.lines[groups.starts[number] :][: groups.sizes[number]]
        ]
        for reject in sorted(found, key=lambda reject: (reject.source, reject.line)):
            rejects.write(msgspec.json.encode(reject) + b"\n")
        return groups.those(reasons == 0)

    def _unfit(self, facts: Facts) -> Reasons:
        reasons = np.zeros(len(facts), dtype=np.uint8)
        reasons[np.isnan(facts["value"])] = METRIC
        reasons[facts["count"] < self._settings.min_responses] = TOO_FEW
        return reasons

    def _reject(self, row: np.void, reason: int, pooled: Sequence[float] | None) -> Reject:
        """The reject of a line, or an error if the settings want one; `pooled` are the scores of its whole group."""
        source, line_number = int(row["source"]), int(row["line"])
        line = self._sources.line(source, int(row["start"]), int(row["size"]))
        message = self._message(reason, line, pooled)
        if advice := self._advice(reason):
            path, number_in_file = self._place(source, line_number)
            raise InputError(f"{path}:{number_in_file}: {message}; {advice}")
        self.rejected[REASONS[reason]] += 1
        return Reject.of(source, line_number, REASONS[reason], message, line)

    def _advice(self, reason: int) -> str | None:
        """What to do about a line that is an error; None for one that is just rejected."""
        if reason == DUPLICATE and self._settings.on_duplicate == "error":
            return self._settings.twice
        if reason == METRIC and self._settings.on_invalid == "error":
            return "--on-invalid reject puts such prompts into rejects.jsonl"
        return None

    def _message(self, reason: int, line: bytes, pooled: Sequence[float] | None) -> str:
        if reason == DUPLICATE:
            return f"{self._read.named(line)} stands in an earlier line as well"
        scores = self._read(line).scores if pooled is None else pooled
        if reason == METRIC:
            return self._measure.explain(scores)
        return f"got {counted(len(scores), 'response')}, expected at least {self._settings.min_responses}"


@dataclass(frozen=True, slots=True)
class Judged:
    """All prompts: single lines as facts on disk, and the groups; two files of rejects, each in the input's order."""

    singles: list[Path]
    groups: Groups
    rejected: Counter[str]
    rejects: list[Path]

    def facts(self) -> Iterator[Facts]:
        """The facts of all prompts, a part at a time."""
        for path in self.singles:
            yield from read_facts(path)
        yield self.groups.facts

    @property
    def prompts(self) -> int:
        """How many there are."""
        return sum(path.stat().st_size for path in self.singles) // FACTS.itemsize + len(self.groups.facts)


def judge(scanned: Sequence[Scanned], sources: Sources, place: Place, settings: Settings, folder: Path) -> Judged:
    """Go through all lines: duplicates, groups, prompts that are not wanted."""
    shared = find_shared(scanned)
    groups = gather(scanned, shared, sources, settings)
    judging = Judge(settings, shared, sources, place)
    singles: list[Path] = []
    paths = [folder / "rejects-singles.jsonl", folder / "rejects-groups.jsonl"]
    with paths[0].open("wb") as rejects:
        for task in scanned:
            singles.append(task.facts.with_name(f"single-{task.facts.name}"))
            with singles[-1].open("wb") as file:
                for facts in read_facts(task.facts):
                    file.write(judging.singles(facts, rejects).tobytes())
    with paths[1].open("wb") as rejects:
        kept = judging.groups(groups, rejects)
    return Judged(singles, kept, judging.rejected, paths)
