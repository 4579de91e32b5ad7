import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.errors import InputError
from curriculum_verl.manifest import (
    PROMPT,
    check_files,
    file_hash,
    find_manifest,
    manifest_kind,
    read_manifest,
    read_prompts,
)

GOOD = {
    "version": 1,
    "buckets": [{"name": "easy", "prompts": 3}, {"name": "hard", "prompts": 2}],
    "ids_hash": "abc",
}


@pytest.fixture
def write(tmp_path):
    def write(document):
        path = tmp_path / "manifest.json"
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        return path

    return write


def test_reads_buckets_in_order_and_the_hash(write):
    manifest = read_manifest(write(GOOD))
    assert list(manifest.sizes.items()) == [("easy", 3), ("hard", 2)]
    assert manifest.ids_hash == "abc"


def test_order_is_the_files_not_the_alphabets(write):
    manifest = read_manifest(write(GOOD | {"buckets": GOOD["buckets"][::-1]}))
    assert list(manifest.sizes.items()) == [("hard", 2), ("easy", 3)]


def test_keys_of_later_versions_are_ignored(write):
    assert read_manifest(write(GOOD | {"licence": {"easy": "CC0"}})).ids_hash == "abc"


def test_a_manifest_that_was_written_by_hand_has_no_files(write):
    manifest = read_manifest(write(GOOD))
    assert manifest.train_files == manifest.validation_files == manifest.files == []
    assert read_prompts(manifest, Path("/nowhere")) is None
    check_files(manifest, Path("/nowhere"), hashes=True)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "not a manifest: .*; run the preprocessing step again"),
        (b"{", "not a manifest"),
        (b"[]", "not a manifest: Expected `object`, got `array`"),
        (b'{"version": 1, "buckets": [], "ids_hash": "\xff"}', "not a manifest"),
        (GOOD | {"buckets": [{"name": "easy"}]}, r"missing required field `prompts`.*buckets\[0\]"),
        (GOOD | {"buckets": [{"name": "easy", "prompts": "3"}]}, "Expected `int`, got `str`"),
        (GOOD | {"version": 2}, "got manifest version 2, expected 1; run the preprocessing step again"),
        (GOOD | {"kind": "buckets"}, "got the manifest of a bucket folder, expected that of the data; run the prepro"),
        (GOOD | {"kind": "sft"}, "got a manifest of kind 'sft', expected 'data'"),
        (GOOD | {"files": {"easy": "easy.parquet"}}, r"Expected `array`, got `object` - at `\$.files`"),
        (GOOD | {"buckets": GOOD["buckets"] * 2}, "bucket easy, hard stands twice, expected every name once"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused_with_its_path(write, document, message):
    path = write(document)
    with pytest.raises(InputError, match=message) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read: No such file.*run the preprocessing step first"):
        read_manifest(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("buckets", [[], [{"name": "easy", "prompts": 0}], [{"name": "easy", "prompts": -1}]])
def test_a_manifest_without_prompts_has_no_index(write, buckets):
    with pytest.raises(InputError, match="expected at least"):
        PromptIndex.build(read_manifest(write(GOOD | {"buckets": buckets})).sizes)


GARBAGE = st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)


@given(st.binary(max_size=60) | GARBAGE)
def test_garbage_is_always_an_input_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "garbage.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a manifest"):
        read_manifest(path)


def test_every_module_can_be_the_first_that_is_imported():
    code = """
import importlib, pkgutil, sys
import curriculum_verl
failed = []
for info in pkgutil.walk_packages(curriculum_verl.__path__, "curriculum_verl."):
    if info.name.startswith("curriculum_verl.verl_plugin"):
        continue  # verl imports these, each once
    for name in [name for name in sys.modules if name.startswith("curriculum_verl")]:
        del sys.modules[name]
    try:
        importlib.import_module(info.name)
    except ImportError as error:
        failed.append(f"{info.name}: {error}")
print("; ".join(failed))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


PROMPTS = np.array([(-1.0, 1.0), (-0.5, 0.5), (-0.25, 0.25), (0.0, 0.125), (2.5, 0.0)], dtype=PROMPT)


@pytest.fixture
def data(tmp_path, write):
    """A manifest with two files and a side file, all of which stand beside it."""

    def make(prompts=PROMPTS):
        np.save(tmp_path / "prompts.npy", prompts)
        files = []
        for name, rows in (("easy_train.parquet", 3), ("hard_train.parquet", 2)):
            (tmp_path / name).write_bytes(name.encode() * rows)
            files.append({"path": name, "rows": rows, "bytes": rows * len(name), "hash": file_hash(tmp_path / name)})
        side = {"path": "prompts.npy", "hash": file_hash(tmp_path / "prompts.npy")}
        return write(GOOD | {"kind": "data", "files": files, "prompts": side})

    return make


def config(path, policy="mixture", **parameters):
    policy = {"name": policy, **parameters}
    return {"data": str(path), "policy": policy, "stages": [{"name": "a", "mix": {"easy": 0.5, "hard": 0.5}}]}


def test_a_file_hash_is_that_of_xxh128sum(tmp_path):
    (tmp_path / "f").write_bytes(b"abc" * 1_000_000)
    assert file_hash(tmp_path / "f") == "xxh3-128:47c375d0480d50847b4398e287db949a"


def test_a_curriculum_knows_difficulty_and_pass_rate_of_every_prompt(data):
    curriculum = Curriculum.from_config(config(data()))
    assert curriculum.index.difficulty.tolist() == PROMPTS["difficulty"].tolist()
    assert curriculum.index.pass_rate.tolist() == PROMPTS["pass_rate"].tolist()
    assert curriculum.index.difficulty.flags["C_CONTIGUOUS"]
    assert curriculum.index.data_hash == "abc"


def test_target_difficulty_goes_by_them(data):
    draw = Curriculum.from_config(config(data(), "target_difficulty", spread=1)).draw(1)
    assert draw.prompts.tolist() == [0]
    other = PROMPTS.copy()
    other["difficulty"][1] = -3.0
    draw = Curriculum.from_config(config(data(other), "target_difficulty", spread=1)).draw(1)
    assert draw.prompts.tolist() == [1]


def test_posterior_starts_from_the_pass_rates(data):
    turned = PROMPTS.copy()
    turned["pass_rate"] = 1 - turned["pass_rate"]
    states = [Curriculum.from_config(config(data(prompts), "posterior")).state_dict() for prompts in (PROMPTS, turned)]
    assert str(states[0]["policy"]) != str(states[1]["policy"])


def test_a_manifest_without_a_side_file_has_an_index_all_the_same(write):
    index = Curriculum.from_config(config(write(GOOD))).index
    assert index.difficulty is None
    assert index.pass_rate is None
    assert len(index) == 5


def no_file(path):
    path.unlink()


def another_file(path):
    np.save(path, PROMPTS[::-1])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_file, r"prompts.npy: the manifest names it, but it cannot be read: No such file.*preprocessing step again"),
        (another_file, r"prompts.npy: got a file with hash xxh3-128:\w+, the manifest says xxh3-128:\w+"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "got a file with hash"),
    ],
)
def test_a_side_file_that_is_not_the_manifests_is_refused(data, tmp_path, spoil, message):
    path = data()
    spoil(tmp_path / "prompts.npy")
    with pytest.raises(InputError, match=message):
        Curriculum.from_config(config(path))


@pytest.mark.parametrize(
    "prompts",
    [PROMPTS[:4], np.concatenate([PROMPTS, PROMPTS[:1]]), PROMPTS["difficulty"], PROMPTS[None], np.zeros(5)],
)
def test_a_side_file_of_another_shape_is_refused(data, prompts):
    with pytest.raises(InputError, match=r"prompts.npy: got \(.*expected \(5,\) of .*difficulty"):
        Curriculum.from_config(config(data(prompts)))


def test_a_side_file_that_is_no_array_is_refused(data, tmp_path, write):
    path = data()
    (tmp_path / "prompts.npy").write_bytes(b"no array")
    document = json.loads(path.read_text())
    document["prompts"]["hash"] = file_hash(tmp_path / "prompts.npy")
    with pytest.raises(InputError, match=r"prompts\.npy: is not a \.npy file"):
        Curriculum.from_config(config(write(document)))


def test_files_that_are_as_the_manifest_says(data, tmp_path):
    check_files(read_manifest(data()), tmp_path, hashes=True)


def test_files_that_differ_are_all_named(data, tmp_path):
    manifest = read_manifest(data())
    (tmp_path / "easy_train.parquet").write_bytes(b"short")
    (tmp_path / "hard_train.parquet").unlink()
    (tmp_path / "prompts.npy").unlink()
    with pytest.raises(InputError) as caught:
        check_files(manifest, tmp_path)
    message = str(caught.value)
    assert "easy_train.parquet: got 5 bytes, the manifest says 54" in message
    assert "hard_train.parquet: there is no such file" in message
    assert "prompts.npy: there is no such file" in message
    assert "run the preprocessing step again" in message


def test_a_change_that_keeps_the_size_shows_in_the_hash(data, tmp_path):
    manifest = read_manifest(data())
    (tmp_path / "easy_train.parquet").write_bytes(b"x" * 54)
    check_files(manifest, tmp_path)
    with pytest.raises(InputError, match=r"easy_train\.parquet: got hash xxh3-128"):
        check_files(manifest, tmp_path, hashes=True)


def test_kinds_of_manifests(data, tmp_path, write):
    assert manifest_kind(data()) == "data"
    assert manifest_kind(write(GOOD | {"kind": "buckets"})) == "buckets"
    assert manifest_kind(write(GOOD)) is None
    assert manifest_kind(write(b"[1, 2]")) is None
    assert manifest_kind(tmp_path / "none.json") is None
    assert find_manifest(str(tmp_path / "none.json")) is None
