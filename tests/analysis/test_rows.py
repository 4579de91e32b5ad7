from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.analysis.rows import ROW, SUMS, merged, sums

Lines = list[tuple[int, int, int, int, int]]
LINES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(1, 4), st.integers(0, 9), st.integers(0, 9)),
    max_size=40,
)


def rows_of(lines: Lines) -> Any:
    made = np.zeros(len(lines), dtype=ROW)
    for at, (key, stage, responses, loop, explore) in enumerate(lines):
        made[at] = (
            key,
            0,
            stage,
            responses,
            [float(at)] * len(SUMS),
            (0, at, 0),
            loop,
            (0, at, 1),
            explore,
            (0, at, 2),
        )
    return made


@given(LINES, st.booleans())
def test_merging_adds_up_and_keeps_what_is_most_telling(lines: Lines, by_stage: bool) -> None:
    found = merged(rows_of(lines), by_stage=by_stage)
    groups: dict[tuple[int, int], list[int]] = {}
    for at, line in enumerate(lines):
        groups.setdefault((line[0], line[1] if by_stage else 0), []).append(at)
    assert [int(key) for key in found["key"]] == [key for key, _ in sorted(groups)]
    for row, (_, members) in zip(found, sorted(groups.items()), strict=True):
        assert row["responses"] == sum(lines[at][2] for at in members)
        assert row["sums"][0] == sum(members)
        assert row["first"]["line"] == members[0]
        looping = max(members, key=lambda at: (lines[at][3], -at))
        exploring = max(members, key=lambda at: (lines[at][4], -at))
        assert (row["loop_score"], row["looping"]["line"]) == (lines[looping][3], looping)
        assert (row["exploration"], row["exploring"]["line"]) == (lines[exploring][4], exploring)


@given(LINES, st.integers(0, 40))
def test_parts_that_are_merged_first_give_the_same(lines: Lines, cut: int) -> None:
    rows = rows_of(lines)
    parts = np.concatenate([merged(rows[:cut], by_stage=True), merged(rows[cut:], by_stage=True)])
    assert (merged(parts, by_stage=True) == merged(rows, by_stage=True)).all()


def test_sums_are_found_by_name() -> None:
    rows = rows_of([(1, 0, 1, 0, 0)])
    rows["sums"][0] = np.arange(len(SUMS))
    assert [float(sums(rows, name)[0]) for name in SUMS] == list(range(len(SUMS)))
