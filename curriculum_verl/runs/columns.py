"""Metrics as columns: a row for each step that told some, of whatever names, in arrays that grow."""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

ROWS = 4096  # of a block
VOID = -1  # in place of the step of a row that no longer counts

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]


class Columns:
    """Numbers by step and name. Of several rows for a step the last one that has the name counts.

    A column costs its place in every row since it came up, 8 bytes each, also where it has no value.
    """

    def __init__(self) -> None:
        self._column: dict[str, int] = {}
        self._blocks: list[Floats] = []  # a line for each column, so that a series is read in whole pieces
        self._steps = np.zeros(0, dtype=np.int64)
        self._count = 0
        self._last: tuple[list[str], NDArray[np.intp]] = ([], np.zeros(0, dtype=np.intp))  # names and columns of a row
        self._top, self._ordered = VOID, True  # the last step, and whether each row came after those before it
        self._found: dict[str, tuple[Steps, Floats]] = {}  # since the last change

    @property
    def names(self) -> Collection[str]:
        """All names that ever had a number."""
        return self._column.keys()

    def __len__(self) -> int:
        return self._count

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """A row."""
        columns = self._columns(list(numbers))
        place = self._count % ROWS
        if place == 0:
            self._blocks.append(np.full((len(self._column), ROWS), np.nan))
            self._steps = np.concatenate([self._steps[: self._count], np.empty(max(ROWS, self._count), np.int64)])
        block = self._blocks[-1]
        if len(block) < len(self._column):
            more = np.full((len(self._column) - len(block), ROWS), np.nan)
            self._blocks[-1] = block = np.concatenate([block, more])
        block[columns, place] = np.fromiter(numbers.values(), np.float64, len(numbers))
        self._steps[self._count] = step
        self._ordered = self._ordered and step >= self._top
        self._top = max(step, self._top)
        self._count += 1
        self._found.clear()

    def _columns(self, names: list[str]) -> NDArray[np.intp]:
        """Where these names stand; most rows have those of the row before."""
        if names != self._last[0]:
            places = [self._column.setdefault(name, len(self._column)) for name in names]
            self._last = names, np.array(places, dtype=np.intp)
        return self._last[1]

    def forget(self, after: int) -> None:
        """What was said of later steps no longer counts."""
        steps = self._steps[: self._count]
        steps[steps > after] = VOID
        self._top = min(self._top, after)
        self._found.clear()

    def series(self, name: str) -> tuple[Steps, Floats]:
        """The steps that have the number, in order, and the numbers; do not write into them."""
        if name not in self._found:
            self._found[name] = self._gather(name)
        return self._found[name]

    def last(self, name: str) -> tuple[int, float] | None:
        """The last step that has the number, and the number: of many columns much faster than their series."""
        if not self._ordered or name in self._found:
            steps, values = self.series(name)
            return (int(steps[-1]), float(values[-1])) if steps.size else None
        column = self._column.get(name, -1)
        for place in range(len(self._blocks) - 1, -1, -1):
            block = self._blocks[place]
            if 0 <= column < len(block):
                steps = self._steps[place * ROWS : min(self._count, (place + 1) * ROWS)]
                values = block[column, : len(steps)]
                there = np.flatnonzero(~np.isnan(values) & (steps != VOID))
                if there.size:
                    return int(steps[there[-1]]), float(values[there[-1]])
        return None

    def latest(self, name: str) -> float | None:
        """The number of the last step that has it."""
        found = self.last(name)
        return None if found is None else found[1]

    def _gather(self, name: str) -> tuple[Steps, Floats]:
        column = self._column.get(name)
        if column is None:
            return np.zeros(0, np.int64), np.zeros(0)
        parts = [block[column] if len(block) > column else np.full(ROWS, np.nan) for block in self._blocks]
        values, steps = np.concatenate(parts)[: self._count], self._steps[: self._count]
        there = ~np.isnan(values) & (steps != VOID)
        if not there.all():
            steps, values = steps[there], values[there]
        if np.any(steps[1:] <= steps[:-1]):
            order = np.argsort(steps, kind="stable")
            steps, values = steps[order], values[order]
            last = np.append(np.diff(steps) > 0, True)
            steps, values = steps[last], values[last]
        return steps, values
