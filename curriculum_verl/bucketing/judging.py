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
from curriculum_verl.bucketing.groups import Groups, Sources, gather, grouped
from curriculum_verl.bucketing.scan import Reject, Scanned
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.scores import ScoreReader

Place = Callable[[int, int], tuple[str, int]]  # source and line in its piece -> file and line in it


class Judge:
    """Sorts out lines; all single lines must come first, in order, then the groups."""

    def __init__(self, settings: Settings, shared: SharedKeys, sources: Sources, place: Place, rejects: BinaryIO):
        self._settings, self._shared, self._sources, self._place = settings, shared, sources, place
        self._rejects = rejects
        self.rejected: Counter[str] = Counter()

    def singles(self, facts: Facts) -> Facts:
        """The rows that are prompts by themselves."""
        in_group = grouped(facts, self._shared, self._settings)
        reasons = self._unfit(facts)
        if len(self._shared):
            later = self._shared.later(facts, self._shared.shared(facts) & ~in_group)
            reasons[later] = "duplicate"
        reasons[in_group] = ""
        self._reject(facts, reasons)
        kept: Facts = facts[(reasons == "") & ~in_group]
        return kept

    def groups(self, groups: Groups) -> Groups:
        """The groups that are prompts."""
        reasons = self._unfit(groups.facts)
        self._reject(groups.lines, np.repeat(reasons, groups.sizes))
        return groups.those(reasons == "")

    def _unfit(self, facts: Facts) -> NDArray[np.str_]:
        reasons = np.zeros(len(facts), dtype="U20")
        reasons[np.isnan(facts["value"])] = "metric"
        reasons[facts["count"] < self._settings.min_responses] = "too_few_responses"
        return reasons

    def _reject(self, facts: Facts, reasons: NDArray[np.str_]) -> None:
        for number in np.flatnonzero(reasons != ""):
            row, reason = facts[number], str(reasons[number])
            source, line_number = int(row["source"]), int(row["line"])
            line = self._sources.line(source, int(row["start"]), int(row["size"]))
            message = self._message(reason, line)
            advice = self._advice(reason)
            if advice:
                path, number_in_file = self._place(source, line_number)
                raise InputError(f"{path}:{number_in_file}: {message}; {advice}")
            self.rejected[reason] += 1
            reject = Reject.of(source, line_number, reason, message, line)
            self._rejects.write(msgspec.json.encode(reject) + b"\n")

    def _advice(self, reason: str) -> str | None:
        """What to do about a line that is an error; None for one that is just rejected."""
        if reason == "duplicate" and self._settings.on_duplicate == "error":
            return self._shared.advice()
        if reason == "metric" and self._settings.on_invalid == "error":
            return "--on-invalid reject puts such prompts into rejects.jsonl"
        return None

    def _message(self, reason: str, line: bytes) -> str:
        read = ScoreReader(self._settings.fields)
        if reason == "duplicate":
            return f"{read.named(line)} stands in an earlier line as well"
        scores = read(line).scores
        if reason == "metric":
            return Measure(self._settings).explain(scores)
        return f"got too few responses ({len(scores)} in this line), expected {self._settings.min_responses}"


@dataclass(frozen=True, slots=True)
class Judged:
    """All prompts: single lines as facts on disk, one file a task, and the groups; rejects are in a file as well."""

    singles: list[Path]
    groups: Groups
    rejected: Counter[str]
    rejects: Path

    def facts(self) -> Iterator[Facts]:
        """The facts of all prompts, a part at a time."""
        yield from map(read_facts, self.singles)
        yield self.groups.facts

    @property
    def prompts(self) -> int:
        """How many there are."""
        return sum(path.stat().st_size for path in self.singles) // FACTS.itemsize + len(self.groups.facts)


def judge(scanned: Sequence[Scanned], sources: Sources, place: Place, settings: Settings, folder: Path) -> Judged:
    """Go through all lines: duplicates, groups, prompts that are not wanted."""
    shared = find_shared(scanned)
    groups = gather(scanned, shared, sources, settings)
    singles: list[Path] = []
    path = folder / "rejects-judged.jsonl"
    with path.open("wb") as rejects:
        judging = Judge(settings, shared, sources, place, rejects)
        for task in scanned:
            singles.append(task.facts.with_name(f"single-{task.facts.name}"))
            judging.singles(read_facts(task.facts)).tofile(singles[-1])
        return Judged(singles, judging.groups(groups), judging.rejected, path)
