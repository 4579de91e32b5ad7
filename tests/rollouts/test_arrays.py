"""JSON arrays are read element by element, however they are written, and damage is told."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.arrays import array_lines, is_array, pieces_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=6), st.sampled_from([None, 1]), st.booleans(), st.integers(1, 40))
def test_elements_come_out_as_they_went_in_at_any_block_size(tmp_path_factory, values, indent, ascii_only, block):
    path = tmp_path_factory.getbasetemp() / "array.json"
    path.write_bytes(b"\xef\xbb\xbf " + json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode() + b"\r\n")
    lines = list(array_lines(path, block))
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    assert [json.loads(line) for line in lines] == values


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'[{"a": 1}, {"b": ]', "element 2: "),
        (b'[{"a": 1} {"b": 2}]', "after element 1: got '{'"),
        (b'[{"a": 1}', "after element 1: got 'the end of the file'"),
        (b"[1, 2] 3", "after the array: got '3'"),
        (b'["\xff"]', "'utf-8' codec can't decode"),
        (b'["a\nb"]', "element 1: Invalid control character"),
    ],
)
def test_damage_is_told_with_its_place(tmp_path, content, said):
    path = tmp_path / "damaged.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        list(array_lines(path, 4))
    assert str(error.value).startswith(f"{path}: cannot be read as a JSON array: ")
    assert said in str(error.value)


def test_only_json_files_that_begin_with_a_bracket_are_arrays(tmp_path):
    for name, content, array in (
        ("a.json", " \n[1]", True),
        ("b.json", '{"a": 1}\n', False),
        ("c.jsonl", "[1]", False),
    ):
        (tmp_path / name).write_text(content)
        assert is_array(tmp_path / name) is array
        assert len(pieces_of(tmp_path / name, 64 << 20)) == 1
