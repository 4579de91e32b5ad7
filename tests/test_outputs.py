import os
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from curriculum_verl import outputs
from curriculum_verl.errors import InputError
from curriculum_verl.outputs import publish, refuse_used, work_folder

# Holds the work folder of argv[1], fills it, and waits to be told to go on or to be killed.
HOLDER = """
import sys
from pathlib import Path
from curriculum_verl.outputs import work_folder

with work_folder(Path(sys.argv[1])) as folder:
    (folder / "made").mkdir()
    (folder / "made" / "easy.jsonl").write_text("half")
    (folder / "facts").write_text("half")
    print("holding", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the work folder of `out`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "out")], stdin=PIPE, stdout=PIPE, text=True
    )
    assert process.stdout.readline() == "holding\n"
    yield process
    process.kill()
    process.communicate()


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def made_in(folder: Path, **files: str) -> Path:
    """A folder of files, with a manifest that names them all."""
    made = folder / "made"
    made.mkdir()
    for name, content in files.items():
        (made / name).write_text(content)
    return made


def test_the_work_folder_is_beside_the_target_and_gone_afterwards(tmp_path):
    with work_folder(tmp_path / "out") as folder:
        assert folder.parent == tmp_path
        assert [path.name for path in folder.iterdir()] == ["lock"]
        (folder / "made").mkdir()
        (folder / "made" / "file").touch()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [InputError, OSError, KeyboardInterrupt, SystemExit])
def test_after_an_error_nothing_is_left(tmp_path, error):
    def fail():
        with work_folder(tmp_path / "new" / "deeper" / "out") as folder:
            (folder / "facts").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_folders_above_the_target_stay_if_somebody_uses_them(tmp_path):
    with work_folder(tmp_path / "new" / "out"):
        (tmp_path / "new" / "other").touch()
    assert tree(tmp_path) == {"new/other": ""}


def test_a_folder_can_be_had_again_and_again(tmp_path):
    for _ in range(3):
        with work_folder(tmp_path / "out") as folder:
            publish(made_in(folder, manifest="m"), tmp_path / "out", "manifest")
    assert tree(tmp_path) == {"out/manifest": "m"}


def test_while_another_run_lives_it_is_an_error(tmp_path, holder):
    before = tree(tmp_path)
    with pytest.raises(InputError, match=r"out: another run is writing there; wait for it to end, or choose"):
        work_folder(tmp_path / "out").__enter__()
    assert tree(tmp_path) == before
    assert before[".out.partial/made/easy.jsonl"] == "half"
    with work_folder(tmp_path / "other"):
        pass
    holder.communicate()
    assert holder.returncode == 0
    with work_folder(tmp_path / "out"):
        pass


def test_what_a_killed_run_left_is_cleaned_up(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert ".out.partial/facts" in tree(tmp_path)
    with work_folder(tmp_path / "out") as folder:
        assert [path.name for path in folder.iterdir()] == ["lock"]
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_ends_at_the_same_time_is_no_obstacle(tmp_path, monkeypatch):
    """Between the making of the folder and that of the lock, and between lock and check, the other one cleans up."""
    moments = iter([1, 2])
    mkdir, flock = Path.mkdir, outputs.fcntl.flock

    def mkdir_then_gone(path, *args, **more):
        mkdir(path, *args, **more)
        if path.name == ".out.partial" and next(moments, None):
            path.rmdir()

    def flock_then_gone(file, how):
        flock(file, how)
        if next(locks, None):
            Path(file.name).unlink()

    locks = iter([1, 2])
    monkeypatch.setattr(Path, "mkdir", mkdir_then_gone)
    monkeypatch.setattr(outputs.fcntl, "flock", flock_then_gone)
    with work_folder(tmp_path / "out") as folder:
        assert (folder / "lock").is_file()
        assert next(moments, None) is next(locks, None) is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_is_not_cleaned_up(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "thesis").write_text("mine")
    with pytest.raises(InputError, match=r"\.out\.partial: holds files that no run of ours left there; move them"):
        work_folder(tmp_path / "out").__enter__()
    assert tree(tmp_path) == {".out.partial/thesis": "mine"}


def test_a_disk_that_cannot_lock_is_an_error(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(outputs.fcntl, "flock", fail)
    with pytest.raises(InputError, match=r"out: that file system cannot lock files \(Function not implemented\)"):
        work_folder(tmp_path / "out").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_a_file_is_an_error_before_anything_changes(tmp_path):
    out = tmp_path / "out"
    older_run(out)
    (out / "hard").mkdir()
    before = tree(out)
    with pytest.raises(InputError, match=r"out: holds a folder named hard, where a file is to stand; move it away"):
        publish(made_in(tmp_path, easy="new", hard="new", manifest="new"), out, "manifest", outdated=["easy"])
    assert tree(out) == before


def test_the_lock_goes_last(tmp_path, monkeypatch):
    """Whoever gets the folder next finds nobody else at work in it."""
    removed = []
    unlink, rmtree = Path.unlink, outputs.shutil.rmtree
    monkeypatch.setattr(Path, "unlink", lambda path, **more: (removed.append(path.name), unlink(path, **more)))
    monkeypatch.setattr(outputs.shutil, "rmtree", lambda path: (removed.append(path.name), rmtree(path)))
    with work_folder(tmp_path / "out") as folder:
        (folder / "made").mkdir()
        (folder / "zzz").touch()
    assert sorted(removed[:-1]) == ["made", "zzz"]
    assert removed[-1] == "lock"


def test_a_file_in_the_place_of_the_target_is_an_error(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match=r"out: is a file, expected a folder to write to"):
        work_folder(tmp_path / "out").__enter__()
    assert tree(tmp_path) == {"out": "mine"}


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "out"
    link.symlink_to(tmp_path / "real" / "out")
    for content in ("one", "two"):  # where it points to is not there, then is
        with work_folder(link) as folder:
            assert folder.parent == tmp_path / "real", "on the disk of the target"
            publish(made_in(folder, manifest=content), link, "manifest")
        assert link.is_symlink()
        assert tree(tmp_path / "real") == {"out/manifest": content}


@pytest.mark.parametrize("why", ["a disk of its own", "a parent that may not be written to"])
def test_where_nothing_can_be_beside_the_target_it_is_inside(tmp_path, monkeypatch, why):
    out = tmp_path / "out"
    out.mkdir()
    access = os.access
    if why == "a disk of its own":
        monkeypatch.setattr(Path, "is_mount", lambda path: path == out)
    else:
        monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path and access(path, mode))
    with work_folder(out) as folder:
        assert folder == out / ".out.partial"
        refuse_used(out, overwrite=False)  # it is not in its own way
        publish(made_in(folder, easy="e", manifest="m"), out, "manifest")
    assert tree(out) == {"easy": "e", "manifest": "m"}


def test_the_target_may_be_the_folder_where_one_stands(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir(mode=0o2770)
    before = out.stat()
    monkeypatch.chdir(out)
    with work_folder(Path()) as folder:
        publish(made_in(folder, easy="e", manifest="m"), Path(), "manifest")
    assert tree(Path.cwd()) == {"easy": "e", "manifest": "m"}
    assert (out.stat().st_ino, out.stat().st_mode) == (before.st_ino, before.st_mode)


def test_a_new_folder_appears_at_once(tmp_path, monkeypatch):
    with work_folder(tmp_path / "out") as work:
        made = made_in(work, easy="e", manifest="m")
        monkeypatch.setattr(Path, "unlink", None)
        publish(made, tmp_path / "out", "manifest")
        monkeypatch.undo()
    assert tree(tmp_path) == {"out/easy": "e", "out/manifest": "m"}


def older_run(out: Path) -> None:
    out.mkdir()
    for name in ("easy", "medium", "old-shard", "manifest", "notes.txt"):
        (out / name).write_text(f"old {name}")


def test_files_of_an_older_run_go_and_foreign_ones_stay(tmp_path):
    out = tmp_path / "out"
    older_run(out)
    made = made_in(tmp_path, easy="new easy", hard="new hard", manifest="new manifest")
    publish(made, out, "manifest", outdated=["easy", "medium", "old-shard", "manifest", "never there"])
    assert tree(out) == {
        "easy": "new easy",
        "hard": "new hard",
        "manifest": "new manifest",
        "notes.txt": "old notes.txt",
    }


@pytest.mark.parametrize("manifests", [["manifest"], ["a manifest", "z manifest"]])
@pytest.mark.parametrize("step", ["replace", "unlink"])
def test_wherever_it_ends_no_manifest_stands_beside_files_that_are_not_its_own(tmp_path, monkeypatch, manifests, step):
    """Every rename and every removal fails in turn, as on a full or broken disk."""
    outcomes = []
    for failing in range(20):
        folder = tmp_path / str(failing)
        out = folder / "out"
        folder.mkdir()
        older_run(out)
        for name in manifests:
            (out / name).write_text("old")
        made = made_in(folder, **dict.fromkeys(["easy", "hard", *manifests], "new"))
        calls = iter(range(failing))
        real = getattr(Path, step)

        def spoiled(path, *args, calls=calls, real=real, **more):
            if next(calls, None) is None:
                raise OSError(28, "No space left on device")
            return real(path, *args, **more)

        with monkeypatch.context() as patch:
            patch.setattr(Path, step, spoiled)
            try:
                publish(made, out, manifests, outdated=["medium", "old-shard"])
                outcomes.append("done")
            except OSError:
                outcomes.append("failed")
        left = tree(out)
        assert left["notes.txt"] == "old notes.txt"
        if any(left.get(name) == "new" for name in manifests):
            assert left["easy"] == left["hard"] == "new"
            assert "medium" not in left
            assert "old-shard" not in left
        if any(left.get(name, "new") != "new" for name in manifests):
            assert left["easy"] == "old easy"
            assert left["medium"] == "old medium"
            assert "hard" not in left
    assert outcomes == sorted(outcomes, reverse=True), "fails until there are no more steps to fail"
    # Two files to rename, two to remove; a manifest is moved out of sight, put in place, and the old one removed.
    assert outcomes.count("failed") == 2 + len(manifests) * (2 if step == "replace" else 1)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_new_or_empty_is_not_refused(tmp_path, overwrite):
    refuse_used(tmp_path / "new", overwrite)
    refuse_used(tmp_path, overwrite)


def test_a_folder_that_holds_files_is_refused(tmp_path):
    (tmp_path / "b").touch()
    (tmp_path / "a").mkdir()
    with pytest.raises(
        InputError, match=r": holds a, b; expected a new or empty folder: choose another, or --overwrite"
    ):
        refuse_used(tmp_path, overwrite=False)
    refuse_used(tmp_path, overwrite=True)
    for name in "cdefgh":
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r": holds a, b, c, d, e and 3 more; expected"):
        refuse_used(tmp_path, overwrite=False)
