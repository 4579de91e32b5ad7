import json
import math
from pathlib import Path

import numpy as np
import pytest

from curriculum_verl.errors import InputError
from curriculum_verl.runs.metrics_file import MetricsFile, find_metrics, numbers


def test_lines_are_appended_whole(tmp_path):
    path = tmp_path / "new" / "curriculum.jsonl"
    MetricsFile(path).write("start", 0, stages=["a"])
    MetricsFile(path).write("step", 1, metrics={"x": 1.5})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["kind"], line["step"]) for line in lines] == [("start", 0), ("step", 1)]
    assert lines[1]["metrics"] == {"x": 1.5}
    assert lines[0]["time"] <= lines[1]["time"]


def test_a_line_that_was_torn_by_a_kill_spoils_no_other(tmp_path):
    path = tmp_path / "curriculum.jsonl"
    path.write_bytes(b'{"kind": "step", "st')
    MetricsFile(path).write("start", 3)
    assert json.loads(path.read_text().splitlines()[1])["step"] == 3


def test_a_file_that_cannot_be_written_is_told_and_ends_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    MetricsFile(tmp_path / "file" / "below").write("step", 1)
    assert "a line of metrics is lost" in caplog.text


def test_numbers_of_every_kind_are_plain_and_all_else_is_left_out():
    given = {"int": 2, "np": np.float32(0.5), "one": np.array(3), "nan": math.nan, "text": "x", "many": np.ones(2)}
    assert numbers(given | {"true": True, "none": None}) == {"int": 2.0, "np": 0.5, "one": 3.0, "true": 1.0}


def test_the_file_of_a_run_is_found_where_trainers_write_it(tmp_path: Path) -> None:
    assert find_metrics(tmp_path) == tmp_path / "curriculum.jsonl"  # not there yet
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "curriculum.jsonl").touch()
    assert find_metrics(tmp_path) == tmp_path / "checkpoints" / "curriculum.jsonl"
    with pytest.raises(InputError, match="no folder"):
        find_metrics(tmp_path / "nowhere")
    with pytest.raises(InputError, match="--metrics"):
        find_metrics(tmp_path / "checkpoints" / "curriculum.jsonl")


def test_a_folder_that_one_may_not_look_into_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(InputError, match="may not look into") as found:
        find_metrics(tmp_path)
    assert str(tmp_path / "curriculum.jsonl") in str(found.value)
