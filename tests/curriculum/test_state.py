"""State files: complete or not at all, hashed, versioned, JSON."""

import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curriculum_verl.curriculum.state import read_state, write_state
from curriculum_verl.errors import StateError

STATE: dict[str, Any] = {"a": 1, "nested": {"records": np.arange(5, dtype=np.int32), "text": "x"}, "list": [1.5, None]}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    write_state(tmp_path / "s.json", STATE)
    state = read_state(tmp_path / "s.json")
    assert state["nested"]["records"].tolist() == [0, 1, 2, 3, 4]
    assert state["nested"]["records"].dtype == np.int32
    assert {**state, "nested": None} == {**STATE, "nested": None}


def test_structured_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    records = np.zeros(3, dtype=[("wins", np.float16), ("step", np.uint32)])
    records["step"] = [1, 2, 3]
    write_state(tmp_path / "s.json", {"records": records})
    assert (read_state(tmp_path / "s.json")["records"] == records).all()


def test_arrays_in_lists_come_back_as_they_were(tmp_path: Path) -> None:
    write_state(tmp_path / "s.json", {"walks": [{"places": np.arange(3)}, np.arange(2)]})
    first, second = read_state(tmp_path / "s.json")["walks"]
    assert (first["places"].tolist(), second.tolist()) == ([0, 1, 2], [0, 1])


def test_the_file_is_json_with_a_version_and_names_and_hashes_its_arrays(tmp_path: Path) -> None:
    write_state(tmp_path / "s.json", STATE)
    document = json.loads((tmp_path / "s.json").read_text())
    assert document["version"] == 1
    assert files(tmp_path) == ["s.json", document["arrays"]["file"]]
    content = (tmp_path / document["arrays"]["file"]).read_bytes()
    assert document["arrays"]["blake2b"] == hashlib.blake2b(content).hexdigest()


def test_a_state_without_arrays_is_one_file(tmp_path: Path) -> None:
    write_state(tmp_path / "s.json", {"a": 1})
    assert files(tmp_path) == ["s.json"]


def test_only_the_arrays_of_the_present_state_stay(tmp_path: Path) -> None:
    for length in (3, 4, 5):
        write_state(tmp_path / "s.json", {"records": np.arange(length)})
        assert len(files(tmp_path)) == 2
        assert len(read_state(tmp_path / "s.json")["records"]) == length
    write_state(tmp_path / "s.json", {"a": 1})
    assert files(tmp_path) == ["s.json"]


@pytest.mark.parametrize("names", [("step.100", "step.200"), ("c.json", "c.1.json"), ("r[1].json", "r1.json")])
def test_states_side_by_side_keep_their_own_arrays(tmp_path: Path, names: tuple[str, str]) -> None:
    for number, name in enumerate(names):
        for _ in range(2):
            write_state(tmp_path / name, {"records": np.full(3, number)})
    (tmp_path / "c.mine.npz").touch()
    write_state(tmp_path / names[1], {"records": np.full(3, 1)})
    assert [read_state(tmp_path / name)["records"][0] for name in names] == [0, 1]
    assert len(files(tmp_path)) == 5


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "s.json").write_text("{"), "not a curriculum state"),
        (lambda folder: (folder / "s.json").write_text("[]"), "not a curriculum state"),
        (lambda folder: (folder / "s.json").write_bytes(b"\x80\x04."), "not a curriculum state"),
        (lambda folder: (folder / "s.json").unlink(), "cannot be read: No such file"),
        (lambda folder: next(folder.glob("*.npz")).unlink(), "is missing, but the state beside it names it"),
        (lambda folder: next(folder.glob("*.npz")).write_bytes(b"PK"), "does not match the hash"),
        (lambda folder: _change(folder / "s.json", version=2), "got state version 2, expected 1"),
        (lambda folder: _change(folder / "s.json", state=[]), "not a curriculum state"),
        (lambda folder: _change(folder / "s.json", arrays=5), "not a curriculum state"),
        (lambda folder: _change(folder / "s.json", arrays={"file": "../x", "blake2b": ""}), "not a curriculum state"),
        (lambda folder: _change(folder / "s.json", state={"a": {"__array__": "x"}}), "names an array that is not"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: Any, message: str) -> None:
    write_state(tmp_path / "s.json", STATE)
    damage(tmp_path)
    with pytest.raises(StateError, match=message):
        read_state(tmp_path / "s.json")


def _change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_policy_state_that_is_not_json_is_refused_and_the_old_state_stays(tmp_path: Path) -> None:
    write_state(tmp_path / "s.json", {"a": 1})
    with pytest.raises(StateError, match="cannot be written as JSON"):
        write_state(tmp_path / "s.json", {"a": object()})
    assert read_state(tmp_path / "s.json") == {"a": 1}
    assert files(tmp_path) == ["s.json"]


WRITER = """
import os, sys
from pathlib import Path
import numpy as np
from curriculum_verl.curriculum.state import write_state

target, calls = Path(sys.argv[1]), int(sys.argv[2])
count = 0
def counted(real):
    def call(*args, **kwargs):
        global count
        count += 1
        if count == calls:
            os.kill(os.getpid(), 9)
        return real(*args, **kwargs)
    return call
for name in ("fsync", "replace", "rename", "unlink"):
    setattr(os, name, counted(getattr(os, name)))
write_state(target, {"number": 2, "records": np.full(1000, 2)})
"""


def test_killed_before_any_system_call_of_a_write_the_old_or_the_new_state_stands(tmp_path: Path) -> None:
    seen = set()
    for calls in range(1, 20):
        folder = tmp_path / str(calls)
        folder.mkdir()
        write_state(folder / "s.json", {"number": 1, "records": np.full(1000, 1)})
        done = subprocess.run([sys.executable, "-c", WRITER, str(folder / "s.json"), str(calls)], check=False)
        state = read_state(folder / "s.json")
        assert (state["records"] == state["number"]).all()
        seen.add((done.returncode, state["number"]))
        if done.returncode == 0:
            break
    assert seen == {(-9, 1), (-9, 2), (0, 2)}


def test_a_full_disk_leaves_the_old_state_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_state(tmp_path / "s.json", {"number": 1, "records": np.full(10, 1)})
    before = files(tmp_path)

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        write_state(tmp_path / "s.json", {"number": 2, "records": np.full(10, 2)})
    assert files(tmp_path) == before
    assert read_state(tmp_path / "s.json")["number"] == 1


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": {"b": -math.inf}}, r"a\.b: got -inf, expected a finite number"),
        ({"a": [1.0, {"b": [math.nan]}]}, r"a\[1\]\.b\[0\]: got nan, expected a finite number"),
        ({"a": (np.float64("inf"),)}, r"a\[0\]: got inf, expected a finite number"),
        ({"a": {1: 2.0}}, "a: got the key 1, expected text"),
    ],
)
def test_what_would_come_back_changed_is_refused_with_its_path(tmp_path: Path, state: Any, message: str) -> None:
    write_state(tmp_path / "s.json", {"a": 1})
    with pytest.raises(StateError, match=message):
        write_state(tmp_path / "s.json", state)
    assert read_state(tmp_path / "s.json") == {"a": 1}
    assert files(tmp_path) == ["s.json"]
