import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.runs.following import Lines


def test_lines_are_given_once_and_only_when_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = Lines(path)
    assert lines.new().lines == []
    path.write_bytes(b"one\nhal")
    assert lines.new().lines == [b"one"]
    assert lines.behind == 3
    with path.open("ab") as file:
        file.write(b"f\nthree\n")
    assert lines.new().lines == [b"half", b"three"]
    assert lines.new().lines == []
    assert lines.behind == 0
    assert Lines(path, only_new=True).new().lines == []


def test_a_file_that_was_cut_or_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"one\ntwo\n")
    lines = Lines(path)
    assert not lines.new().again
    path.write_bytes(b"1\n")  # cut, and shorter
    news = lines.new()
    assert (news.lines, news.again) == ([b"1"], True)
    path.write_bytes(b"other, and longer than before\n")  # cut, and longer by now
    news = lines.new()
    assert (news.lines, news.again) == ([b"other, and longer than before"], True)
    other = tmp_path / "other"
    other.write_bytes(path.read_bytes() + b"more\n")
    os.replace(other, path)  # noqa: PTH105
    news = lines.new()
    assert (news.lines, news.again) == ([b"other, and longer than before", b"more"], True)
    path.unlink()
    assert lines.new().lines == []


def test_a_long_line_is_read_whole_and_a_long_file_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"x" * 1000 + b"\n" + b"y\n" * 1000)
    lines = Lines(path)
    first = lines.new(100).lines
    assert first[0] == b"x" * 1000
    assert lines.behind > 0
    while news := lines.new(100).lines:
        assert sum(map(len, news)) <= 100
        first += news
    assert first[1:] == [b"y"] * 1000


@given(st.lists(st.binary(max_size=20).map(lambda text: text.replace(b"\n", b"")), max_size=12), st.data())
def test_however_a_file_grows_each_line_comes_once(texts: list[bytes], data: st.DataObject) -> None:
    import tempfile

    whole = b"".join(text + b"\n" for text in texts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines"
        lines, found, written = Lines(path), [], 0
        while written < len(whole):
            end = data.draw(st.integers(written + 1, len(whole)))
            with path.open("ab") as file:
                file.write(whole[written:end])
            written = end
            news = lines.new(data.draw(st.integers(1, 50)))
            assert not news.again
            found += news.lines
        while (news := lines.new()).lines:
            found += news.lines
    assert found == texts


def test_what_is_no_file_gives_no_line_and_says_why(tmp_path: Path) -> None:
    pipe, loop, path = tmp_path / "pipe", tmp_path / "loop", tmp_path / "metrics.jsonl"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    for place, words in ((tmp_path, "no regular file"), (pipe, "no regular file"), (loop, "symbolic links")):
        lines = Lines(place)
        assert lines.new().lines == []
        assert words in lines.trouble
    lines = Lines(path)
    path.mkdir()
    lines.new()
    assert lines.trouble
    path.rmdir()
    path.write_bytes(b"one\n")
    assert lines.new().lines == [b"one"]
    assert lines.trouble == ""
