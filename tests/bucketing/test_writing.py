import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.bucketing.orders import ORDERS
from curriculum_verl.bucketing.writing import ShardWriter

LINES = st.lists(
    st.tuples(st.binary(min_size=1, max_size=20).map(lambda b: b.replace(b"\n", b"n")), st.integers(-1, 2)), max_size=30
)


def orders_for(lines, source=0, start=0):
    """Orders for lines that lie one after the other; bucket -1 is a line that is not wanted."""
    rows = []
    for line, bucket in lines:
        if bucket >= 0:
            rows.append((source, start, len(line), bucket, True))
        start += len(line) + 1
    return np.array(rows, dtype=ORDERS)


@given(LINES, LINES, st.booleans(), st.randoms(use_true_random=False))
def test_every_line_goes_where_it_is_told_to_with_an_end(tmp_path_factory, first, second, ends, random):
    folder = tmp_path_factory.mktemp("w")
    for number, lines in enumerate((first, second)):
        content = b"\n".join(line for line, _ in lines) + (b"\n" if ends else b"")
        (folder / str(number)).write_bytes(content)
    orders = np.concatenate([orders_for(first), orders_for(second, source=1)])
    shuffled = list(range(len(orders)))
    if random.random() < 0.5:
        random.shuffle(shuffled)
    with ShardWriter(folder / "out", ["a", "b", "c"], [folder / "0", folder / "1"]) as writer:
        writer.write(orders[shuffled])
    wanted = [line for lines in (first, second) for line in lines if line[1] >= 0]
    for number, (path, file) in enumerate(writer.files()):
        expected = [wanted[place][0] for place in shuffled if wanted[place][1] == number]
        assert path.read_bytes() == b"".join(line + b"\n" for line in expected)
        assert (file.bytes, file.lines, file.prompts) == (path.stat().st_size, len(expected), len(expected))


def test_each_table_starts_with_a_prompt_whose_place_is_noted(tmp_path):
    lines = [(b"x" * 10, 0), (b"y" * 5, 1), (b"z", 0)]
    (tmp_path / "in").write_bytes(b"\n".join(line for line, _ in lines))
    with ShardWriter(tmp_path / "out", ["a", "b"], [tmp_path / "in"]) as writer:
        writer.write(orders_for(lines))
        writer.write(orders_for(lines))
    starts = [file.starts for _, file in writer.files()]
    digests = [xxhash.xxh3_128_hexdigest(content) for content in (b"x" * 10 + b"\nz\n", b"y" * 5 + b"\n")]
    assert starts == [[(0, 0, digests[0]), (13, 2, digests[0])], [(0, 0, digests[1]), (6, 1, digests[1])]]


def test_a_source_that_shrank_is_an_error(tmp_path):
    (tmp_path / "in").write_bytes(b"12345\n")
    orders = np.array([(0, 0, 20, 0, True)], dtype=ORDERS)
    with (
        ShardWriter(tmp_path / "out", ["a"], [tmp_path / "in"]) as writer,
        pytest.raises(OSError, match="became shorter"),
    ):
        writer.write(orders)
