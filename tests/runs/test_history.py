from pathlib import Path
from typing import Any

import msgspec
import pytest

from curriculum_verl.errors import InputError
from curriculum_verl.runs.history import FollowedRun, read_history
from curriculum_verl.runs.lines import names_of_tests
from curriculum_verl.runs.metrics_file import MetricsFile

TEST = {"metric": "train/success_rate", "test": "over 5 above", "value": 0.4, "threshold": 0.7, "met": False}


def write(path: Path, kind: str, step: int, **content: Any) -> None:
    MetricsFile(path).write(kind, step, **content)


def begin(path: Path, step: int) -> None:
    write(path, "start", step, stages=["easy", "all"], buckets=["short", "long"], rollouts="../rollouts")


def trained(path: Path, step: int, stage: str, **metrics: float) -> None:
    write(path, "step", step, stage=stage, exit=[TEST | {"value": step / 10}], metrics=metrics)


def test_a_history_is_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    begin(path, 0)
    trained(path, 1, "easy", a=1.0)
    write(path, "validation", 1, stage="easy", metrics={"val/short": 0.5})
    write(path, "advance", 2, source="easy", target="all", reason="enough", before=0.5, after=None)
    trained(path, 2, "all", a=2.0)
    write(path, "alarm", 2, bucket="short")
    write(path, "warning", 2, message="careful")
    write(path, "stop", 3, reason="the last stage ended")
    found = read_history(path)
    assert (found.stages, found.buckets, found.rollouts) == (["easy", "all"], ["short", "long"], "../rollouts")
    assert found.metrics.series("a")[1].tolist() == [1.0, 2.0]
    assert found.metrics.latest("val/short") == 0.5
    assert [(span.stage, span.first, span.last) for span in found.spans()] == [("easy", 1, 1), ("all", 2, 2)]
    assert [(span.stage, span.first, span.last) for span in found.stays()] == [("easy", 1, 2)]
    assert (found.step, found.stage) == (2, "all")
    assert [event.kind for event in found.events] == ["advance", "alarm", "warning", "stop"]
    assert found.transitions[0].reason == "enough"
    assert found.exit[0].words == "train/success_rate over 5 above 0.7"
    assert found.tests.series(found.exit[0].words)[1].tolist() == [0.1, 0.2]


def test_what_a_resumed_run_did_again_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    begin(path, 0)
    for step, stage in ((1, "easy"), (2, "easy"), (3, "all"), (4, "all")):
        trained(path, step, stage, a=float(step))
    write(path, "advance", 3, source="easy", target="all", reason="enough", before=None, after=None)
    write(path, "stop", 4, reason="over")
    run = FollowedRun(path)
    assert run.refresh()
    begin(path, 2)
    assert run.refresh()
    assert run.history.steps.tolist() == [1, 2]
    assert run.history.events == []
    trained(path, 3, "easy", a=30.0)
    assert run.refresh()
    assert run.history.metrics.series("a")[1].tolist() == [1.0, 2.0, 30.0]
    assert [span.stage for span in run.history.spans()] == ["easy"]
    assert [start.step for start in run.history.starts] == [0, 2]
    assert not run.refresh()


def test_a_run_that_was_resumed_where_it_stopped_has_not_stopped(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    begin(path, 0)
    trained(path, 2, "easy", a=1.0)
    write(path, "alarm", 2, bucket="short")
    write(path, "stop", 2, reason="over")
    assert not read_history(path).ended
    write(path, "end", 2)
    assert read_history(path).ended
    begin(path, 2)
    assert [event.kind for event in read_history(path).events] == ["alarm"]
    assert not read_history(path).ended


def test_tests_with_the_same_words_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    begin(path, 0)
    for step in (1, 2):
        exits = [TEST | {"value": step / 10}, TEST | {"value": step / 2}, TEST | {"metric": "other", "value": None}]
        write(path, "step", step, stage="easy", exit=exits, metrics={})
    found = read_history(path)
    words = found.exit[0].words
    assert names_of_tests(found.exit) == [words, f"{words} (2)", "other over 5 above 0.7"]
    assert found.tests.series(words)[1].tolist() == [0.1, 0.2]
    assert found.tests.series(f"{words} (2)")[1].tolist() == [0.5, 1.0]


def test_stages_are_found_anew_after_every_line(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    run = FollowedRun(path)
    seen = []
    for step, stage in ((1, "easy"), (2, "all"), (3, "all")):
        trained(path, step, stage)
        run.refresh()
        seen.append([(span.stage, span.last) for span in run.history.spans()])
        assert [(stay.stage, stay.last) for stay in run.history.stays()][-1][1] == step
    assert seen == [[("easy", 1)], [("easy", 1), ("all", 2)], [("easy", 1), ("all", 3)]]


def test_torn_and_foreign_lines_are_counted_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    run = FollowedRun(path)
    assert not run.refresh()
    begin(path, 0)
    with path.open("ab") as file:
        file.write(b'{"kind": "step", "st')
    run.refresh()
    assert run.unreadable == 0
    trained(path, 1, "easy", a=1.0)  # ends the torn line first
    with path.open("ab") as file:
        file.write(b'\xff\xfe\n[1]\n{"kind":"step","step":2,"metrics":{"a":"x"}}\n\n{"kind":"else","step":2,"new":1}\n')
    run.refresh()
    assert run.unreadable == 4
    assert run.history.steps.tolist() == [1]


def test_lines_that_no_run_writes_cost_no_other_line(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    trained(path, 1, "easy", a=1.0)
    deep = b"[" * 100_000 + b"]" * 100_000
    with path.open("ab") as file:
        for step in (b"10000000000000000000000000", b"9223372036854775808", b"9007199254740992", b"-1"):
            file.write(b'{"kind":"step","step":' + step + b',"stage":"easy","metrics":{"a":2.0}}\n')
        file.write(b'{"kind":"step","step":2,"unknown":' + deep + b"}\n")
    trained(path, 3, "easy", a=3.0)
    run = FollowedRun(path)
    run.refresh()
    assert run.unreadable == 5
    assert run.history.metrics.series("a")[0].tolist() == [1, 3]


def test_a_file_that_is_written_anew_begins_a_new_history(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    begin(path, 0)
    trained(path, 7, "easy", a=1.0)
    run = FollowedRun(path)
    run.refresh()
    seen = run.version
    path.unlink()
    begin(path, 0)
    trained(path, 1, "easy", b=1.0)
    assert run.refresh()
    assert run.version != seen
    assert run.history.steps.tolist() == [1]
    assert list(run.history.metrics.names) == ["b"]


def test_a_long_file_is_read_in_several_looks(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    begin(path, 0)
    for step in range(1, 40):
        trained(path, step, "easy", a=1.0)
    run = FollowedRun(path)
    run._lines.new = lambda new=run._lines.new: new(1000)  # type: ignore[method-assign]
    assert run.refresh(0)
    assert 0 < run.history.step < 39
    assert run.behind > 0
    while run.refresh(0):
        pass
    assert run.history.step == 39


def test_lines_of_today_have_no_field_that_is_not_read(tmp_path: Path) -> None:
    """Another field in a transition or a test would be lost on whoever reads the file here."""
    from dataclasses import fields

    from curriculum_verl.curriculum.conditions import Status
    from curriculum_verl.curriculum.decisions import Transition
    from curriculum_verl.runs.lines import ExitTest, Line

    assert {field.name for field in fields(Transition)} <= {field.name for field in msgspec.structs.fields(Line)}
    assert {field.name for field in fields(Status)} == {field.name for field in msgspec.structs.fields(ExitTest)}


def test_steps_count_for_the_stage_that_they_were_drawn_in(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    begin(path, 0)
    write(path, "advance", 1, source="easy", target="all", reason="enough", before=None, after=None)
    for step, stage in ((1, "all"), (2, "all"), (3, "easy"), (4, "easy"), (5, "all")):
        trained(path, step, stage)
    stays = read_history(path).stays()
    assert [(stay.stage, stay.first, stay.last) for stay in stays] == [("easy", 1, 1), ("all", 2, 3), ("easy", 4, 5)]
    assert read_history(tmp_path / "nothing").stays() == []


def test_a_history_of_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: it is no regular file"):
        read_history(tmp_path)
