"""Lines that share a prompt: one response a line (verl's dumps), or an id that stands twice."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.bucketing.facts import Facts, read_facts
from curriculum_verl.bucketing.scan import Scanned

Mask = NDArray[np.bool_]


class SharedKeys:
    """The keys that more than one line has. `later` goes through the facts in order and marks all but a key's first."""

    def __init__(self, keys: NDArray[np.uint64]):
        self._keys = keys
        self._seen = np.zeros(len(keys), dtype=bool)

    def __len__(self) -> int:
        return len(self._keys)

    def shared(self, facts: Facts) -> Mask:
        """Which rows share their key with another."""
        if not len(self._keys):
            return np.zeros(len(facts), dtype=bool)
        place = np.minimum(np.searchsorted(self._keys, facts["key"]), len(self._keys) - 1)
        return np.asarray(self._keys[place] == facts["key"])

    def later(self, facts: Facts, shared: Mask) -> Mask:
        """Which rows come after another of their key; to be asked for once for every row, in order."""
        rows = np.flatnonzero(shared)
        keys, first = np.unique(np.searchsorted(self._keys, facts["key"][rows]), return_index=True)
        is_first = np.zeros(len(rows), dtype=bool)
        is_first[first[~self._seen[keys]]] = True
        self._seen[keys] = True
        later = np.zeros(len(facts), dtype=bool)
        later[rows[~is_first]] = True
        return later


def find_shared(scanned: Sequence[Scanned]) -> SharedKeys:
    """All keys sorted in one array of 8 bytes a line, and of those the ones that stand there more than once."""
    keys = np.empty(sum(task.rows for task in scanned), dtype=np.uint64)
    filled = 0
    for task in scanned:
        for facts in read_facts(task.facts):
            keys[filled : filled + len(facts)] = facts["key"]
            filled += len(facts)
    keys.sort()
    return SharedKeys(np.unique(keys[1:][keys[1:] == keys[:-1]]))


def in_groups(members: Facts) -> tuple[Facts, NDArray[np.int64]]:
    """Rows in order, put together by key, groups by their first row; and where each group starts."""
    order = np.argsort(members["key"], kind="stable")
    keys = members["key"][order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    sizes = np.diff(np.append(starts, len(order)))
    by_first_row = np.argsort(order[starts])
    rank = np.empty(len(starts), dtype=np.int64)
    rank[by_first_row] = np.arange(len(starts))
    together = order[np.argsort(np.repeat(rank, sizes), kind="stable")]
    return members[together], np.concatenate([[0], np.cumsum(sizes[by_first_row])[:-1]]).astype(np.int64)
