import msgspec
import pytest
from msgspec import UNSET

from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.fields import ROLES, parse_fields, row_type


def read(line: bytes, **columns):
    row, getters = row_type(columns)
    found = msgspec.json.decode(line, type=row)
    return {name: get(found) for name, get in getters.items()}


def test_without_a_word_every_role_has_its_usual_fields():
    assert parse_fields() == ROLES
    assert parse_fields(["id=uid", "ground_truth=a.b.c"]) == ROLES | {"id": ("uid",), "ground_truth": ("a.b.c",)}


def test_a_field_may_have_any_name():
    assert parse_fields(["id=my id=x"])["id"] == ("my id=x",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ids=uid", r"fields: unknown role 'ids', expected one of id, .*; did you mean 'id'\?; write role=field"),
        ("uid", r"fields: unknown role 'uid'.*write role=field"),
        ("id", r"fields: got 'id', expected role=field, such as id=meta\.id"),
        ("id=", r"fields: got 'id=', expected role=field"),
        ("id=a..b", r"fields: got 'id=a\.\.b', expected role=field"),
        ("id=.a", "expected role=field"),
        ("id=a.", "expected role=field"),
        ("", "unknown role ''"),
    ],
)  # fmt: skip
def test_what_is_no_role_and_field_is_an_error(text, message):
    with pytest.raises(InputError, match=message):
        parse_fields([text])


def test_only_what_is_asked_for_is_decoded():
    line = b'{"a": 1, "b": {"deep": [1, "x"]}, "never": [{"b": 2}]}'
    found = read(line, one=("a", int), none=("c", int | None), raw=("b", msgspec.Raw))
    assert (found["one"], found["none"]) == (1, UNSET)
    assert bytes(found["raw"]) == b'{"deep": [1, "x"]}'


def test_a_dot_leads_into_an_object():
    columns = {"x": ("a.b.c", int | None), "y": ("a.b.d", str), "a": ("a", msgspec.Raw), "z": ("z.z", float)}
    found = read(b'{"a": {"b": {"c": 1, "d": "e"}}, "z": {"z": 2}}', **columns)
    assert (found["x"], found["y"], found["z"]) == (1, "e", 2.0)
    assert bytes(found["a"]) == b'{"b": {"c": 1, "d": "e"}}'


@pytest.mark.parametrize(
    "line", [b"{}", b'{"a": null}', b'{"a": 1}', b'{"a": []}', b'{"a": "{"}', b'{"a": {}}', b'{"a": {"b": "{"}}']
)
def test_where_there_is_no_object_there_is_no_field(line):
    assert read(line, x=("a.b.c", int | None))["x"] is UNSET


def test_a_field_with_a_dot_in_its_name_is_not_reached_by_a_path():
    assert read(b'{"a.b": 1}', x=("a.b", int))["x"] is UNSET


def test_two_roles_may_share_a_field():
    columns = {"text": ("a", str | list), "raw": ("a", msgspec.Raw), "again": ("a", str | list)}
    found = read(b'{"a": ["x"]}', **columns)
    assert (found["text"], bytes(found["raw"]), found["again"]) == (["x"], b'["x"]', ["x"])
    assert set(read(b"{}", **columns).values()) == {UNSET}


@pytest.mark.parametrize(
    ("line", "columns", "message"),
    [
        (b'{"a": [1]}', {"x": ("a", list[str])}, "got `int` - at `$.a[0]`"),
        (b'{"a": [1]}', {"x": ("a", list[str]), "y": ("a", msgspec.Raw)}, "got `int` - at `$.a[0]`"),
        (b'{"a": 1}', {"x": ("a", str), "y": ("a", msgspec.Raw)}, "got `int` - at `$.a`"),
        (b'{"a": {"b": {"c": [1]}}}', {"x": ("a.b.c", list[str])}, "got `int` - at `$.a.b.c[0]`"),
        (b'{"a": {"b": 1}}', {"x": ("a.b", str)}, "got `int` - at `$.a.b`"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_told_with_the_whole_path(line, columns, message):
    with pytest.raises(msgspec.ValidationError) as caught:
        read(line, **columns)
    assert str(caught.value).endswith(message)
