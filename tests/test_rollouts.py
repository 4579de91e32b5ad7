import json

import pytest

from curriculum_verl.errors import InputError
from curriculum_verl.rollouts import Scored, read_scored, rollout_files


def written(tmp_path, *lines, name="r.jsonl"):
    path = tmp_path / name
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


def test_the_forms_of_scores_and_responses(tmp_path):
    path = written(
        tmp_path,
        {
            "reward": [{"score": 1, "extra": {"score": 9}}, {"score": 0.25}],
            "response": {"choices": ["12345678", "1234"]},
        },
        {
            "reward": [1, 0.5],
            "response": {"choices": [{"message": {"content": "1234"}}, {"message": {"content": None}}]},
        },
        {"reward": [{"score": 0}]},
    )
    assert list(read_scored(path)) == [Scored((1.0, 0.25), 1.5), Scored((1.0, 0.5), 0.5), Scored((0.0,), None)]


def test_a_byte_order_mark_and_blank_lines_are_passed_over(tmp_path):
    path = written(tmp_path, b"\xef\xbb\xbf" + json.dumps({"reward": [1]}).encode(), b"", b"  ", {"reward": [0]}, b"")
    assert [scored.scores for scored in read_scored(path)] == [(1.0,), (0.0,)]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"reward": []}',
        b'{"reward": null}',
        b'{"reward": [null]}',
        b'{"reward": ["1"]}',
        b"\xff\xfe",
        b"{}",
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, line):
    path = written(tmp_path, {"reward": [1]}, b"", line)
    with pytest.raises(InputError, match=r"r\.jsonl:3: not a rollout: .*expected one JSON object a line"):
        list(read_scored(path))


def test_files_of_folders_come_in_order(tmp_path):
    for name in ("b.jsonl", "a.jsonl", "notes.txt"):
        written(tmp_path, {"reward": [1]}, name=name)
    assert [path.name for path in rollout_files([tmp_path, tmp_path / "b.jsonl"])] == ["a.jsonl", "b.jsonl", "b.jsonl"]


@pytest.mark.parametrize("name", ["missing.jsonl", "empty"])
def test_nothing_to_read_is_an_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="got no rollouts"):
        rollout_files([tmp_path / name])
