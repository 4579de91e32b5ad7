import datetime
import decimal
import gzip
import io
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from curriculum_verl.errors import InputError
from curriculum_verl.rollouts import lines
from curriculum_verl.rollouts.lines import (
    BOM,
    HashedFile,
    Piece,
    content_hash,
    line_blocks,
    lines_before,
    numbered_lines,
    open_piece,
    pieces,
    valid_utf8,
)

SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
PARTS = st.sampled_from([b"\n", b"\r\n", b"a", b"{}", b" ", b"\r", b"\0", BOM, "é中".encode(), b"long" * 20])
CONTENT = st.lists(PARTS, max_size=40).map(b"".join) | st.binary(max_size=60)
ROWS = b"".join(b'{"id":%d,"reward":[%d]}\n' % (n, n % 2) for n in range(3000))


def split(content: bytes) -> list[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+", content)


@pytest.fixture
def small(monkeypatch):
    """Makes blocks so small that a few bytes are many."""

    def shrink(hash_block: int, block: int) -> None:
        monkeypatch.setattr(lines, "HASH_BLOCK", hash_block)
        monkeypatch.setattr(lines, "BLOCK", block)

    return shrink


def read(piece: Piece) -> tuple[int, list[bytes], list[bytes]]:
    """Where the lines of a piece start, the lines, and the hashes of its blocks."""
    with HashedFile(piece.path, piece.start, piece.end) as raw:
        file, start, length = open_piece(piece, raw)
        found = [line for block in line_blocks(file, length) for line in block]
        return start, found, raw.finish()


def read_whole(path: Path) -> list[bytes]:
    (piece,) = pieces(path, 1)
    return read(piece)[1]


@SHARED_FOLDER
@given(CONTENT, st.integers(1, 9), st.integers(2, 6), st.integers(1, 40))
@example(b"aaaa\nbbbb\ncccc\n", 5, 3, 5)  # lines that start where a piece does
@example(b"a\n" + b"b" * 30 + b"\n" + b"c", 4, 2, 4)  # a line longer than a piece
@example(b"\n\n\n\n", 1, 2, 1)
@example(BOM + b"a\r\n\r\nb", 2, 2, 2)
def test_every_line_is_in_exactly_one_piece(tmp_path, small, content, hash_block, block, size):
    small(hash_block, block)
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    found: list[bytes] = []
    hashes: list[bytes] = []
    for piece in pieces(path, size):
        assert lines_before(piece) == len(found)
        start, own, digests = read(piece)
        if own:
            assert start == sum(map(len, found))
            assert piece.start <= start
            assert start + sum(map(len, own[:-1])) < piece.end
        found += own
        hashes += digests
    assert found == split(content)
    blocks = [content[at : at + hash_block] for at in range(0, len(content), hash_block)]
    assert hashes == [xxhash.xxh3_128_digest(one) for one in blocks]


@SHARED_FOLDER
@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 40))
def test_pieces_cover_a_file_without_a_gap(tmp_path, small, total, hash_block, size):
    small(hash_block, 3)
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"x" * total)
    found = pieces(path, size)
    assert [piece.start for piece in found] == [0, *(piece.end for piece in found[:-1])]
    assert found[-1].end == total
    assert all(piece.start % hash_block == 0 for piece in found)
    assert all(piece.end - piece.start <= max(size, hash_block) for piece in found)


def test_the_hash_is_of_the_content_alone(tmp_path, small):
    digests = set()
    for name, block, size in (("a.jsonl", 1, 8), ("b.jsonl", 7, 16), ("c.jsonl", 100, 1000)):
        small(8, block)
        (tmp_path / name).write_bytes(ROWS[:500])
        digests.add(content_hash([digest for piece in pieces(tmp_path / name, size) for digest in read(piece)[2]]))
    assert len(digests) == 1
    (tmp_path / "a.jsonl").write_bytes(ROWS[:499] + b"!")
    assert (
        content_hash([digest for piece in pieces(tmp_path / "a.jsonl", 8) for digest in read(piece)[2]]) not in digests
    )


@pytest.mark.parametrize("lines_read", [0, 1, 3])
def test_what_was_not_read_is_hashed_too(tmp_path, small, lines_read):
    small(16, 8)
    (tmp_path / "r.jsonl").write_bytes(ROWS[:300])
    with HashedFile(tmp_path / "r.jsonl", 0, 300) as raw:
        file, _, _ = open_piece(Piece(tmp_path / "r.jsonl", 0, 300), raw)
        for _ in range(lines_read):
            file.readline()
        assert raw.finish() == [xxhash.xxh3_128_digest(ROWS[at : min(at + 16, 300)]) for at in range(0, 300, 16)]


def test_a_file_that_has_shrunk_ends_early(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"a\nb\n")
    assert read(Piece(path, 0, 100))[1] == [b"a\n", b"b\n"]


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.tuples(st.text(), st.binary(max_size=3)).map(lambda t: t[0].encode() + t[1])
)
@example(b"")
@example("\ud800".encode("utf-8", "surrogatepass"))
@example(b"\xc0\x80")
@example(b"\xf4\x90\x80\x80")
@example("ok 中".encode()[:-1])
def test_valid_utf8_agrees_with_python(block):
    try:
        block.decode()
    except UnicodeDecodeError:
        assert not valid_utf8(block)
    else:
        assert valid_utf8(block)


def zstd(content: bytes) -> bytes:
    stream = pa.BufferOutputStream()
    with pa.CompressedOutputStream(stream, "zstd") as out:
        out.write(content)
    return stream.getvalue().to_pybytes()


PACKERS = {"r.jsonl.gz": gzip.compress, "r.jsonl.zst": zstd}


@SHARED_FOLDER
@given(st.lists(CONTENT, min_size=1, max_size=4), st.integers(1, 5), st.sampled_from(sorted(PACKERS)))
def test_compressed_files_of_several_parts_are_read_whole(tmp_path, small, contents, block, name):
    small(16, block)
    packed = b"".join(map(PACKERS[name], contents))
    (tmp_path / name).write_bytes(packed)
    (piece,) = pieces(tmp_path / name, 1)
    start, found, hashes = read(piece)
    assert (start, found) == (0, split(b"".join(contents)))
    assert hashes == [xxhash.xxh3_128_digest(packed[at : at + 16]) for at in range(0, len(packed), 16)]


def damaged(packed: bytes) -> Iterator[bytes]:
    """All ways in which a file is cut short, and bytes that were never packed."""
    for cut in sorted({1, 5, 12, len(packed) // 2, len(packed) - 9, len(packed) - 1}):
        yield packed[:cut]
    yield packed + b"junk"
    yield ROWS
    yield packed[:40] + bytes([packed[40] ^ 255]) * 20 + packed[60:]


@pytest.mark.parametrize("name", PACKERS)
def test_damaged_files_are_named(tmp_path, name):
    path = tmp_path / name
    for content in damaged(PACKERS[name](ROWS)):
        path.write_bytes(content)
        for reader in (read_whole, lambda path: list(numbered_lines(path))):
            with pytest.raises(
                InputError, match=rf"{name}: cannot be unpacked: .*; the file is damaged or is not what"
            ):
                reader(path)


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz", "r.parquet"])
def test_an_error_of_the_disk_stays_what_it_is(tmp_path, monkeypatch, name):
    path = write_rows(tmp_path / name)

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(HashedFile, "readinto", fail)
    with pytest.raises(OSError, match="Input/output error") as caught:
        read_whole(path)
    assert caught.value.errno == 5
    assert not isinstance(caught.value, InputError)


def write_rows(path: Path) -> Path:
    if path.suffix == ".parquet":
        rows = [{"id": n, "reward": [{"score": n / 7, "V_i": None}], "text": f"row {n}"} for n in range(600)]
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=100)
    else:
        path.write_bytes(PACKERS.get(path.name, bytes)(ROWS))
    return path


def from_parquet(path: Path, column: pa.Array) -> list[bytes]:
    pq.write_table(pa.table({"x": column}), path)
    found = read_whole(path)
    assert found == [line for _, line in numbered_lines(path)]
    return found


DAY = datetime.datetime(2023, 11, 14, 22, 13, 20, 123456)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([[1.0, float("nan"), float("inf")]]), b"[1.0,null,null]"),
        (pa.array([[{"score": 0.5, "more": {"a": [1, None]}}]]), b'[{"score":0.5,"more":{"a":[1,null]}}]'),
        (pa.array([[]], pa.list_(pa.float64())), b"[]"),
        (pa.array([None], pa.string()), b"null"),
        (pa.array(["a\n\"中"]), '"a\\n\\"中"'.encode()),
        (pa.array([b"\xff\0"]), b'"/wA="'),
        (pa.array([decimal.Decimal("0.50")]), b"0.50"),
        (pa.array([2**64 - 1], pa.uint64()), b"18446744073709551615"),
        (pa.array([0.5], pa.float16()), b"0.5"),
        (pa.array(["a"]).dictionary_encode(), b'"a"'),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), b'[["a",1]]'),
        (pa.array([DAY], pa.timestamp("us")), b'"2023-11-14T22:13:20.123456"'),
        (pa.array([DAY], pa.timestamp("us", tz="UTC")), b'"2023-11-14T22:13:20.123456Z"'),
        (pa.array([DAY.date()]), b'"2023-11-14"'),
        (pa.array([DAY.time()]), b'"22:13:20.123456"'),
        (pa.array([datetime.timedelta(seconds=90)]), b'"PT90S"'),
    ],
)  # fmt: skip
def test_columns_of_parquet_become_json(tmp_path, column, expected):
    assert from_parquet(tmp_path / "r.parquet", column) == [b'{"x":' + expected + b"}\n"]


def test_nanoseconds_of_parquet_become_text(tmp_path):
    pytest.importorskip("pandas")  # without it pyarrow has no type for them
    (line,) = from_parquet(tmp_path / "r.parquet", pa.array([1700000000123456789], pa.timestamp("ns")))
    assert b"20.123456789" in line


def test_rows_of_parquet_are_numbered_across_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "PARQUET_ROWS", 7)
    path = write_rows(tmp_path / "r.parquet")
    found = list(numbered_lines(path))
    assert [number for number, _ in found] == list(range(1, 601))
    assert found[-1][1] == b'{"id":599,"reward":[{"score":85.57142857142857,"V_i":null}],"text":"row 599"}\n'


def test_a_parquet_file_is_hashed_as_it_lies_there(tmp_path, small):
    small(1000, 100)
    path = write_rows(tmp_path / "r.parquet")
    content = path.read_bytes()
    (piece,) = pieces(path, 1)
    expected = [xxhash.xxh3_128_digest(content[at : at + 1000]) for at in range(0, len(content), 1000)]
    assert read(piece)[2] == expected


def told(path: Path) -> str | None:
    """What is said of a file that cannot be read."""
    try:
        read_whole(path)
    except InputError as error:
        return str(error)
    return None


def test_damaged_parquet_is_named(tmp_path):
    path = write_rows(tmp_path / "r.parquet")
    content, moments = path.read_bytes(), random.Random(0)
    errors = []
    for attempt in range(60):
        spoiled = bytearray(content)
        if attempt % 3:
            for _ in range(20):
                spoiled[moments.randrange(len(spoiled))] = moments.randrange(256)
        else:
            spoiled = spoiled[: moments.randrange(len(spoiled))]
        path.write_bytes(spoiled)
        errors.append(told(path))
    errors = [error for error in errors if error is not None]
    assert len(errors) > 40
    assert all("r.parquet: cannot be read as parquet: " in error for error in errors)


def test_values_that_python_cannot_hold_are_an_error(tmp_path):
    column = pa.array([9 * 10**18], pa.timestamp("us"))
    with pytest.raises(InputError, match=r"r\.parquet: cannot be read as parquet: "):
        from_parquet(tmp_path / "r.parquet", column)
    offsets = pa.py_buffer(b"\0\0\0\0\2\0\0\0")
    column = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff\xfe")])
    with pytest.raises(InputError, match=r"r\.parquet: cannot be read as parquet: .*utf-8"):
        from_parquet(tmp_path / "r.parquet", column)


def test_numbered_lines_pass_over_blank_ones(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_bytes(BOM + b"a\r\n\r\n \t\n" + BOM + b"b\nc")
    assert list(numbered_lines(path)) == [(1, b"a\r\n"), (4, BOM + b"b\n"), (5, b"c")]
    path.write_bytes(BOM)
    assert list(numbered_lines(path)) == []
    path.write_bytes(b"")
    assert list(numbered_lines(path)) == []


def test_a_line_much_longer_than_a_block_is_one_line(tmp_path):
    path = tmp_path / "r.jsonl"
    long = b"x" * (5 * lines.BLOCK + 7)
    path.write_bytes(b"a\n" + long + b"\nb\n")
    assert read_whole(path) == [b"a\n", long + b"\n", b"b\n"]


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"r\.jsonl"):
        HashedFile(tmp_path / "r.jsonl", 0, 1)


def test_line_blocks_without_a_length_go_to_the_end():
    assert [*line_blocks(io.BytesIO(b""))] == []
    blocks = line_blocks(io.BufferedReader(io.BytesIO(ROWS)))
    assert [line for block in blocks for line in block] == split(ROWS)
