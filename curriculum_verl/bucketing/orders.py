"""Where every line goes: computed once, on disk, carried out by whoever writes the buckets."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.bucketing.cutting import Cuts
from curriculum_verl.bucketing.facts import Facts, read_facts
from curriculum_verl.bucketing.groups import Groups
from curriculum_verl.bucketing.tally import Tally
from curriculum_verl.rollouts.lines import HASH_BLOCK

# A line and where it goes; `first` marks the first line of a prompt.
ORDERS = np.dtype([("source", "<i4"), ("start", "<i8"), ("size", "<i8"), ("bucket", "<i2"), ("first", "?")])
Orders = NDArray[np.void]


def write_orders(singles: Iterable[Path], groups: Groups, cuts: Cuts, tally: Tally, folder: Path) -> list[Path]:
    """Tables of orders, in the order in which lines are written: single lines as they came, then the groups."""
    paths: list[Path] = []
    for orders in _tables(singles, groups, cuts, tally):
        path = folder / f"orders-{len(paths):06}"
        path.write_bytes(orders.tobytes())
        paths.append(path)
    return paths


def _tables(singles: Iterable[Path], groups: Groups, cuts: Cuts, tally: Tally) -> Iterator[Orders]:
    for path in singles:
        for facts in read_facts(path):
            numbers = cuts.numbers(facts)
            tally.add(facts, numbers)
            yield _orders(facts, numbers, np.ones(len(facts), dtype=bool))
    if len(groups.facts):
        numbers = cuts.numbers(groups.facts)
        tally.add(groups.facts, numbers, groups.sizes)
        first = np.zeros(len(groups.lines), dtype=bool)
        first[groups.starts] = True
        orders = _orders(groups.lines, np.repeat(numbers, groups.sizes), first)
        block = np.cumsum(orders["size"] + 1) // HASH_BLOCK
        yield from np.split(orders, groups.starts[np.flatnonzero(np.diff(block[groups.starts])) + 1])


def _orders(lines: Facts, buckets: NDArray[np.int16], first: NDArray[np.bool_]) -> Orders:
    orders = np.empty(len(lines), dtype=ORDERS)
    for column in ("source", "start", "size"):
        orders[column] = lines[column]
    orders["bucket"] = buckets
    orders["first"] = first
    return orders
