"""What a run prints: lines that people read."""

from pathlib import Path

import pytest
from sft.toy_sft import recipe

from curriculum_verl.sft.run import run_sft


def test_a_run_says_in_lines_how_far_it_is(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_sft(recipe(toy, tmp_path, "training.max_steps=4"))
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("step     2/4  first  loss ") for line in said)
    assert any(line.startswith("step     4/4  evaluation: score 0.") and "simple 1.000" in line for line in said)
    assert said[-1].startswith("step     4/4  final evaluation: score 0.")
    assert not any("{" in line for line in said)
