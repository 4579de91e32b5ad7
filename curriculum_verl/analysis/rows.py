"""What is kept of every prompt: sums over its responses, and where the telling ones stand. No text is kept."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Sums over the responses of a prompt. `with_tokens`, `judged`, `trying` count those of which the number is known.
SUMS = (
    "passed",
    "score",
    "characters",
    "tokens",
    "with_tokens",
    "steps",
    "calls",
    "attempts",
    "malformed",
    "tool_use",
    "coherence",
    "judged",
    "loops",
    "stuck",
    "efficiency",
    "trying",
)
PLACE = np.dtype([("piece", "u4"), ("line", "u4"), ("number", "u4")])  # of a response: its piece, line in it, number
ROW = np.dtype(
    [
        ("key", "u8"),
        ("bucket", "u2"),
        ("stage", "u2"),
        ("responses", "u4"),
        ("sums", "f8", (len(SUMS),)),
        ("first", PLACE),
        ("loop_score", "f4"),
        ("looping", PLACE),  # the response with the highest loop score
        ("exploration", "f4"),
        ("exploring", PLACE),
    ]
)

Rows = NDArray[Any]


def merged(rows: Rows, *, by_stage: bool = False) -> Rows:
    """One row for every prompt, or for every prompt and stage, sorted by key; of equals the first counts."""
    if not len(rows):
        return rows
    order = np.lexsort((rows["stage"], rows["key"]) if by_stage else (rows["key"],))
    keys, stages = rows["key"][order], rows["stage"][order]
    new = keys[1:] != keys[:-1]
    if by_stage:
        new |= stages[1:] != stages[:-1]
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    whole: Rows = rows[order[starts]]
    if len(starts) == len(rows):
        return whole
    group = np.repeat(np.arange(len(starts)), np.diff([*starts, len(rows)]))
    whole["responses"] = np.add.reduceat(rows["responses"][order].astype(np.int64), starts)
    whole["sums"] = np.add.reduceat(rows["sums"][order], starts, axis=0)
    for score, place in (("loop_score", "looping"), ("exploration", "exploring")):
        best = order[np.lexsort((-rows[score][order], group))[starts]]
        whole[score], whole[place] = rows[score][best], rows[place][best]
    return whole


def sums(rows: Rows, name: str) -> NDArray[np.float64]:
    """One of the sums, of every row."""
    found: NDArray[np.float64] = rows["sums"][:, SUMS.index(name)]
    return found


def read_rows(files: Iterable[Path]) -> Rows:
    """The rows of several files."""
    found: Rows = np.concatenate([np.zeros(0, dtype=ROW), *(np.fromfile(file, dtype=ROW) for file in files)])
    return found
