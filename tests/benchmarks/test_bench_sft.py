import importlib
import json
from pathlib import Path

import pytest

pytest.importorskip("torch")


def test_both_train_and_the_figures_are_written(tmp_path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    bench = importlib.import_module("bench_sft")
    path = tmp_path / "out.json"
    sizes = ["--hidden", "32", "--words", "4", "--steps", "12", "--rounds", "2", "--batch", "4"]
    assert bench.main([*sizes, "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert len(found["rounds"]) == 2
    assert found["plain"] > 0
    assert "overhead" in capsys.readouterr().out


def test_the_goal_is_judged_only_where_the_rounds_agree(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    bench = importlib.import_module("bench_sft")
    assert bench.verdict([0.01, 0.02, 0.0, 0.5]) == "met"
    assert bench.verdict([0.1, 0.2, 0.05, 0.0]) == "not met"
    assert bench.verdict([0.1, -0.2, 0.04, 0.0]).startswith("not decided")
