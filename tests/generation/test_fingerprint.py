"""By what a model is known again."""

import os
import shutil
from pathlib import Path

import pytest

from curriculum_verl.generation import fingerprint as module
from curriculum_verl.generation.fingerprint import digest, fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors", "optimizer.pt", "trainer_state.json"):
        (folder / name).write_bytes(name.encode() * 1000)
    return folder


def test_what_decides_is_in_it_and_what_a_trainer_left_is_not(folder: Path) -> None:
    assert set(fingerprint({"base": folder})) == {"base/config.json", "base/tokenizer.json", "base/model.safetensors"}


def test_a_copy_and_new_times_change_nothing(folder: Path, tmp_path: Path) -> None:
    before = fingerprint({"base": folder})
    copy = shutil.copytree(folder, tmp_path / "copy")
    os.utime(copy / "model.safetensors", ns=(0, 0))
    assert fingerprint({"base": copy}) == before
    assert digest(fingerprint({"base": copy})) == digest(before)


def test_other_weights_of_the_same_size_are_named(folder: Path) -> None:
    before = fingerprint({"base": folder})
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    after = fingerprint({"base": folder})
    assert {name for name in after if after[name] != before[name]} == {"base/model.safetensors"}
    assert digest(after) != digest(before)


@pytest.mark.parametrize("place", [0, 5_000, 9_999])
def test_of_a_large_file_blocks_over_all_of_it_count(folder: Path, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    monkeypatch.setattr(module, "WHOLE", 1000)
    monkeypatch.setattr(module, "BLOCK", 16)
    weights = folder / "model.safetensors"
    content = bytes(10_000)
    weights.write_bytes(content)
    before = fingerprint({"base": folder})
    updated = bytearray(content)
    for at in range(place % 50, 10_000, 50):  # an update of weights is everywhere
        updated[at] = 1
    weights.write_bytes(updated)
    assert fingerprint({"base": folder}) != before
    weights.write_bytes(content + bytes(1))
    assert fingerprint({"base": folder}) != before
