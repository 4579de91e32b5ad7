import json
from pathlib import Path

import pytest

from curriculum_verl.errors import InputError
from curriculum_verl.rollouts import read_rollouts
from curriculum_verl.rollouts.fields import parse_fields


def line(number: int, **more: object) -> bytes:
    return json.dumps({"id": number, "prompt": f"q{number}", "reward": [1, 0]} | more).encode()


def written(tmp_path: Path, *lines: bytes) -> Path:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"\n".join(lines))
    return path


def test_rollouts_come_one_after_the_other(tmp_path):
    path = written(tmp_path, b"\xef\xbb\xbf" + line(1), b"", b"  \t\r", line(2) + b"\r", line(3))
    assert [(rollout.id, rollout.scores) for rollout in read_rollouts(path)] == [
        ("1", [1.0, 0.0]),
        ("2", [1.0, 0.0]),
        ("3", [1.0, 0.0]),
    ]


def test_fields_may_have_other_names(tmp_path):
    path = written(tmp_path, line(1, uid="a", meta={"scores": [0.5]}))
    (rollout,) = read_rollouts(path, parse_fields(["id=uid", "reward=meta.scores"]))
    assert (rollout.id, rollout.scores) == ("a", [0.5])


@pytest.mark.parametrize(
    "bad", [b"{", b"[]", b'{"reward": [null]}', line(3, reward=[]), line(3, prompt=None), b"\xff\xfe", line(3)[:-9]]
)
def test_the_first_line_that_cannot_be_used_is_named(tmp_path, bad):
    reading = read_rollouts(written(tmp_path, line(1), b"", bad, b"worse"))
    assert next(reading).id == "1"
    with pytest.raises(InputError, match=r"r\.jsonl:3: not a rollout: "):
        next(reading)


def test_an_empty_file_holds_none(tmp_path):
    assert list(read_rollouts(written(tmp_path, b""))) == []


@pytest.mark.parametrize(("name", "what"), [("r.jsonl.gz", "unpacked"), ("r.parquet", "read as parquet")])
def test_a_damaged_file_is_named(tmp_path, name, what):
    path = tmp_path / name
    path.write_bytes(line(1))
    with pytest.raises(InputError, match=rf"{name}: cannot be {what}: "):
        list(read_rollouts(path))
