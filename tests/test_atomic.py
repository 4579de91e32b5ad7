from pathlib import Path

import pytest

from curriculum_verl.atomic import replacing


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "out.json"
    with replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_content_stands_until_the_block_ends(tmp_path):
    path = tmp_path / "out.json"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_no_trace(tmp_path, error):
    path = tmp_path / "out.json"
    path.write_bytes(b"old")

    def fail():
        with replacing(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_rename_that_fails_leaves_no_trace(tmp_path):
    path = tmp_path / "taken"
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(OSError, match="taken"), replacing(path) as file:
        file.write(b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_a_leftover_of_a_killed_run_is_no_obstacle(tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(TypeError), replacing(path) as file:
        file.write("text where bytes are wanted")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) != []
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_content_reaches_the_disk_before_the_name_does(tmp_path, monkeypatch):
    events = []
    replace = Path.replace
    monkeypatch.setattr("os.fsync", lambda descriptor: events.append("sync"))
    monkeypatch.setattr(Path, "replace", lambda self, to: (events.append("rename"), replace(self, to))[1])
    with replacing(tmp_path / "out.json") as file:
        file.write(b"new")
    assert events == ["sync", "rename", "sync"]


def test_a_folder_that_cannot_sync_is_forgiven(tmp_path, monkeypatch):
    calls = []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError("not on this file system")

    monkeypatch.setattr("os.fsync", fsync)
    with replacing(tmp_path / "out.json") as file:
        file.write(b"new")
    assert (tmp_path / "out.json").read_bytes() == b"new"
