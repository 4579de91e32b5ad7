"""Journals: what was written in full is kept, whatever a kill has left behind it."""

from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.generation.journal import Entry, Journal, Tail, finished


def written(folder: Path, *entries: Entry) -> Path:
    before = set(folder.iterdir())
    journal = Journal(folder)
    for entry in entries:
        journal.write(entry)
    journal.close()
    [path] = set(folder.iterdir()) - before
    return path


def test_entries_come_back_with_their_lines(tmp_path: Path) -> None:
    entry = Entry(3, responses=2, tokens=7, stopped="all_wrong", line=msgspec.Raw(b'{"id": "a"}'))
    written(tmp_path, Entry(1), entry)
    found = finished(tmp_path)
    assert found.keys() == {1, 3}
    back = found[3].entry()
    assert (back.responses, back.tokens, back.stopped) == (2, 7, "all_wrong")
    assert (bytes(back.line), bytes(back.reject)) == (b'{"id": "a"}', b"")


@given(cut=st.integers(0, 200))
def test_a_torn_end_takes_only_the_entry_that_is_torn(tmp_path_factory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("state")
    path = written(folder, *(Entry(position, line=msgspec.Raw(b'{"n":"\xc3\xa4"}')) for position in range(5)))
    whole = path.read_bytes()
    kept = whole[: len(whole) - min(cut, len(whole))]
    path.write_bytes(kept)
    assert finished(folder).keys() == set(range(kept.count(b"\n")))


def test_a_prompt_that_was_done_twice_counts_once(tmp_path: Path) -> None:
    written(tmp_path, Entry(1), Entry(2))
    written(tmp_path, Entry(2), Entry(3))
    assert finished(tmp_path).keys() == {1, 2, 3}


def test_a_tail_gives_each_entry_once_as_it_is_written(tmp_path: Path) -> None:
    tail, journal = Tail(tmp_path), Journal(tmp_path)
    journal.write(Entry(1))
    assert [entry.position for entry, _ in tail.new()] == [1]
    journal.write(Entry(2))
    written(tmp_path, Entry(3))
    assert {entry.position for entry, _ in tail.new()} == {2, 3}
    assert list(tail.new()) == []
    journal.close()
