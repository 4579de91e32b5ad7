import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.errors import InputError
from curriculum_verl.manifest import read_manifest

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


def test_keys_of_later_steps_are_ignored(write):
    assert read_manifest(write(GOOD | {"files": {"easy": "easy.parquet"}})).ids_hash == "abc"


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


@settings(deadline=None)
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
