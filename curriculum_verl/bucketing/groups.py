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
    """All prompts of several lines, measured by the scores of all of them."""
    found = [np.empty(0, dtype=FACTS)]
    if len(shared):
        for task in scanned:
            found += [facts[grouped(facts, shared, settings)] for facts in read_facts(task.facts)]
    members = np.concatenate(found)
    del found
    if not len(members):
        return Groups(members, np.empty(0, dtype=np.int64), members)
    lines, starts = in_groups(members)
    del members
    groups = Groups(lines, starts, lines[starts].copy())
    measure, pooled = Measure(settings), PooledScores(groups, sources, settings)
    for number in tqdm(range(len(starts)), desc="putting responses together", unit=" prompts", disable=None):
        row = groups.facts[number]
        row["count"], row["passes"], row["mean"], row["value"], row["tie"] = measure(pooled(number))
    return groups


class PooledScores:
    """The scores of a group: of one response a line they are known, others are read once more."""

    def __init__(self, groups: Groups, sources: Sources, settings: Settings):
        self._lines, self._sources = groups.lines, sources
        self._bounds = np.append(groups.starts, len(groups.lines)).tolist()
        self._read = ScoreReader(settings.fields)

    def __call__(self, number: int) -> list[float]:
        """All scores of a group, line after line."""
        lines = self._lines[self._bounds[number] : self._bounds[number + 1]]
        if lines["part"].all():
            scores: list[float] = lines["mean"].tolist()
            return scores
        places = lines[["source", "start", "size"]].tolist()
        return [score for place in places for score in self._read(self._sources.line(*place)).scores]
