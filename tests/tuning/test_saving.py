"""Files of recipes: nothing is written elsewhere, nothing overwritten unasked, and a file keeps its kind."""

import os
from pathlib import Path
from typing import Any

import pytest
from tuning.recipes import TEXT, write_recipe
from tuning.tuned import say, tuning_of

from curriculum_verl.commands.check import main as check
from curriculum_verl.errors import InputError
from curriculum_verl.tuning.desk import Desk
from curriculum_verl.tuning.saving import Saving, read_text
from curriculum_verl.tuning.text import block_of


def saving(recipe: Path, out: Path | None = None) -> Saving:
    return Saving(recipe, recipe.read_bytes() if recipe.exists() else b"", out)


def test_saved_is_what_is_shown_and_check_takes_it(tmp_path: Path) -> None:
    desk = Desk(tuning_of(write_recipe(tmp_path)))
    say(desk, replay_floor="0.2")
    path = desk.save(desk.tuning.saving.suggestion, overwrite=False)
    assert path == tmp_path / "recipe.tuned.yaml"
    assert block_of(path.read_text()) == desk.editing.block
    assert check([str(path)]) == 0
    assert (tmp_path / "recipe.yaml").read_text() == TEXT


ELSEWHERE = ["../other.yaml", "/tmp/x.yaml", "a/b.yaml", "..", "a\\..\\b.yaml\0", "link.yaml"]
NO_NAMES = [
    ".hidden.yaml",
    "x.txt",
    "",
    "x.yaml\n",
    "\u202elmay.yaml",
    " x.yaml",
    ".yaml",
    "x" * 250 + ".yaml",
    "\udcff.yaml",
]


@pytest.mark.parametrize("name", [*ELSEWHERE, *NO_NAMES, "x" * 250 + ".yaml"])
def test_nothing_is_written_elsewhere_or_over_a_link(name: str, tmp_path: Path) -> None:
    target = tmp_path / "outside.yaml"
    target.write_text("precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.yaml").symlink_to(target)
    with pytest.raises(InputError):
        saving(folder / "recipe.yaml").save(name, "x", overwrite=True, seen={})
    assert target.read_text() == "precious"
    assert [path.name for path in folder.iterdir()] == ["link.yaml"]


ODD = ["my recipe (v2).yaml", "lr=1e-5.yaml", "recipe@2.yaml", "a,b.yaml", "it's.yaml", "répète.yml"]


@pytest.mark.parametrize("name", [*ODD, ".hidden.yaml", "plain", "a" * 240 + ".yaml"])
def test_the_name_that_is_suggested_is_taken(name: str, tmp_path: Path) -> None:
    one = saving(tmp_path / name)
    assert one.save(one.suggestion, "x", overwrite=False, seen={}).read_text() == "x"


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    one = saving(recipe)
    with pytest.raises(InputError, match="is there already"):
        one.save("recipe.yaml", "new", overwrite=False, seen=one.known())
    assert recipe.read_text() == TEXT
    assert one.save("recipe.yaml", "new", overwrite=True, seen=one.known()).read_text() == "new"
    out = tmp_path / "elsewhere" / "mine.yaml"
    out.parent.mkdir()
    other = saving(recipe, out)
    with pytest.raises(InputError, match=r"expected mine\.yaml, which --out names"):
        other.save("recipe.yaml", "new", overwrite=True, seen=other.known())
    assert other.save("mine.yaml", "new", overwrite=False, seen=other.known()) == out


def test_what_somebody_else_has_changed_is_not_overwritten(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    one = saving(recipe)
    seen = one.known()
    recipe.write_text(TEXT + "# a line more\n")
    with pytest.raises(InputError, match="changed by somebody else"):
        one.save("recipe.yaml", "mine", overwrite=True, seen=seen)
    assert recipe.read_text() == TEXT + "# a line more\n"
    for text in ("once", "twice"):  # what was saved here is known here
        assert one.save("new.yaml", text, overwrite=text == "twice", seen=seen).read_text() == text
    (tmp_path / "new.yaml").write_text("another tab's")
    with pytest.raises(InputError, match="changed by somebody else"):
        one.save("new.yaml", "mine", overwrite=True, seen=seen)


def test_a_file_keeps_its_mode_and_one_that_may_not_be_written_stays(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    one = saving(recipe)
    recipe.chmod(0o640)
    one.save("recipe.yaml", "new", overwrite=True, seen=one.known())
    assert recipe.stat().st_mode & 0o777 == 0o640
    recipe.chmod(0o400)
    with pytest.raises(InputError, match="may not be written"):
        one.save("recipe.yaml", "newer", overwrite=True, seen={})
    assert (recipe.read_text(), recipe.stat().st_mode & 0o777) == ("new", 0o400)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_lines_end_as_they_did_and_a_file_begins_as_it_did(end: str, start: bytes, tmp_path: Path) -> None:
    raw = start + TEXT.replace("\n", end).encode()
    recipe = tmp_path / "recipe.yaml"
    recipe.write_bytes(raw)
    assert read_text(raw) == TEXT
    assert saving(recipe).encode(TEXT) == raw
    desk = Desk(tuning_of(recipe))
    say(desk, replay_floor="0.2")
    assert desk.save("new.yaml", overwrite=False).read_bytes() == raw.replace(b"floor: 0.1", b"floor: 0.2")


def test_of_mixed_lines_the_most_frequent_end_counts(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_bytes(b"a\r\nb\r\nc\n")
    assert saving(recipe).line_ends() == {b"\n": 1, b"\r\n": 2}
    assert saving(recipe).encode("a\nb\n") == b"a\r\nb\r\n"


def test_a_folder_without_room_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        saving(tmp_path / "recipe.yaml").save("x.yaml", "x", overwrite=False, seen={})
    assert list(tmp_path.iterdir()) == []
