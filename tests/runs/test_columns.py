import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.runs import columns
from curriculum_verl.runs.columns import Columns


def as_dict(found: Columns, name: str) -> dict[int, float]:
    steps, values = found.series(name)
    return dict(zip(steps.tolist(), values.tolist(), strict=True))


ROW = st.tuples(st.integers(0, 30), st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 9)))


@given(st.lists(st.one_of(ROW, st.integers(0, 30)), max_size=60))
def test_columns_are_what_dictionaries_would_be(rows: list) -> None:
    """Names that come late, rows in another order, voids in between; blocks are small, so that there are several."""
    found, expected = Columns(), {}
    before, columns.ROWS = columns.ROWS, 4
    try:
        for row in rows:
            if isinstance(row, int):
                found.forget(row)
                expected = {key: value for key, value in expected.items() if key[0] <= row}
            else:
                found.add(*row)
                expected |= {(row[0], name): value for name, value in row[1].items()}
        for name in "abcdefg":
            assert as_dict(found, name) == {step: value for (step, key), value in expected.items() if key == name}
            steps, _ = found.series(name)
            assert np.all(np.diff(steps) > 0)
            found._found.clear()
            last = max((step for step, key in expected if key == name), default=None)
            assert found.last(name) == (None if last is None else (last, expected[last, name]))
    finally:
        columns.ROWS = before


def test_a_column_is_read_anew_after_a_row() -> None:
    found = Columns()
    assert found.latest("a") is None
    found.add(1, {"a": 1.0})
    assert as_dict(found, "a") == {1: 1.0}
    found.add(2, {"b": 5.0})
    found.add(3, {"a": 3.0, "b": 6.0})
    assert as_dict(found, "a") == {1: 1.0, 3: 3.0}
    assert (found.latest("a"), found.latest("b"), list(found.names)) == (3.0, 6.0, ["a", "b"])
