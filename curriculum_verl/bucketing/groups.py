"""Prompts with several lines: their scores put together, their numbers measured anew."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from curriculum_verl.bucketing.duplicates import SharedKeys, in_groups
from curriculum_verl.bucketing.facts import FACTS, Facts, Measure, read_facts
from curriculum_verl.bucketing.scan import Scanned
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.rollouts.scores import ScoreReader


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The lines of these prompts, together and in order; one row of facts a prompt, that of its first line renewed."""

    lines: Facts
    starts: NDArray[np.int64]
    facts: Facts

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many lines each prompt has."""
        return np.diff(np.append(self.starts, len(self.lines)))

    def those(self, wanted: NDArray[np.bool_]) -> "Groups":
        """Some of the groups."""
        sizes = self.sizes
        starts = np.cumsum(sizes[wanted]) - sizes[wanted]
        return Groups(self.lines[np.repeat(wanted, sizes)], starts, self.facts[wanted])


class Sources:
    """The files behind the facts: their bytes by source number."""

    def __init__(self, paths: Sequence[Path]):
        self.paths = paths

    def line(self, source: int, start: int, size: int) -> bytes:
        """The bytes of one line."""
        with self.paths[source].open("rb", buffering=0) as file:
            file.seek(start)
            return file.read(size)


def grouped(facts: Facts, shared: SharedKeys, settings: Settings) -> NDArray[np.bool_]:
    """Which rows belong to a prompt of several lines."""
    mask = shared.shared(facts)
    return mask if settings.on_duplicate == "merge" else mask & facts["part"]


def gather(scanned: Iterable[Scanned], shared: SharedKeys, sources: Sources, settings: Settings) -> Groups:
    """All prompts of several lines; each of their lines is read once more for its scores."""
    found = [np.empty(0, dtype=FACTS)]
    if len(shared):
        for task in scanned:
            facts = read_facts(task.facts)
            found.append(facts[grouped(facts, shared, settings)])
    members = np.concatenate(found)
    if not len(members):
        return Groups(members, np.empty(0, dtype=np.int64), members)
    lines, starts = in_groups(members)
    read, measure = ScoreReader(settings.fields), Measure(settings)
    renewed = lines[starts].copy()
    ends = [*starts[1:].tolist(), len(lines)]
    progress = tqdm(ends, desc="putting responses together", unit=" prompts", disable=None)
    for number, (first, end) in enumerate(zip(starts.tolist(), progress, strict=True)):
        scores = [
            score
            for source, start, size in lines[first:end][["source", "start", "size"]].tolist()
            for score in read(sources.line(source, start, size)).scores
        ]
        row = renewed[number]
        row["count"], row["passes"], row["mean"], row["value"], row["tie"] = measure(scores)
    return Groups(lines, starts, renewed)
