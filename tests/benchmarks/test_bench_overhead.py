import importlib
import json
from pathlib import Path

import pytest

pytest.importorskip("torch")


def test_it_measures_every_policy_and_writes_the_figures(tmp_path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    bench = importlib.import_module("bench_overhead")
    path = tmp_path / "out.json"
    sizes = ["--prompts", "2000", "--batch", "16", "--responses", "4", "--steps", "3"]
    assert bench.main([*sizes, "--json", str(path)]) == 0
    rows = json.loads(path.read_text())["engine"]
    assert [row["policy"] for row in rows] == ["uniform", "mixture", "target_difficulty", "posterior"]
    assert all(row[part] > 0 for row in rows for part in bench.PARTS)
    assert "mixture" in capsys.readouterr().out
