"""What is told of a run while it runs."""

import io
import sys
from pathlib import Path

import pytest

from curriculum_verl.generation import progress
from curriculum_verl.generation.journal import Entry, Journal
from curriculum_verl.generation.progress import Watch, duration


def test_speed_and_time_left_are_of_this_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    journal = Journal(tmp_path)
    journal.write(Entry(0, tokens=1000))
    watch = Watch(tmp_path, 1, 11)
    assert "1 of 11 prompts (9%), 0 tokens/s, no prompt is finished yet" in watch.words()
    journal.write(Entry(1, tokens=300))
    journal.write(Entry(2, tokens=500))
    now[0] += 20
    watch._look()
    assert watch.words() == "3 of 11 prompts (27%), 40 tokens/s, 1 min 20 s left"
    journal.close()


def test_a_speed_that_nobody_knows_is_not_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    watch = Watch(tmp_path, 0, 2)
    journal.write(Entry(0, responses=3, uncounted=3))
    watch._look()
    assert "(50%), tokens unknown, " in watch.words()
    journal.close()


def test_lines_are_rare_where_there_is_no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK", 0.001)
    monkeypatch.setattr(progress, "FIRST_LINE", 0.0)
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    with Watch(tmp_path, 0, 5):
        while not said.getvalue():
            pass
    assert said.getvalue().startswith("generate: 0 of 5 prompts (0%)")


def test_an_error_comes_through(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Watch(tmp_path, 0, 5):
        raise ZeroDivisionError


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (61, "1 min 01 s"), (7325, "2 h 02 min")])
def test_times_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
