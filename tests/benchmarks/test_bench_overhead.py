import json

import pytest

pytest.importorskip("torch")


def test_it_measures_every_policy_and_writes_the_figures(load, tmp_path, capsys):
    bench = load("bench_overhead")
    path = tmp_path / "out.json"
    sizes = ["--prompts", "2000", "--batch", "16", "--responses", "4", "--steps", "3"]
    assert bench.main([*sizes, "--json", str(path)]) == 0
    rows = json.loads(path.read_text())["engine"]
    assert [row["policy"] for row in rows] == ["uniform", "mixture", "target_difficulty", "posterior"]
    assert all(0 < row[part]["min"] <= row[part]["median"] for row in rows for part in (*bench.PARTS, "engine"))
    assert "\n| mixture | 2,000 | " in capsys.readouterr().out


def test_runs_are_compared_round_by_round(load):
    bench = load("bench_overhead")
    ours = {"step": [1.1, 2.4, 1.0], "overhead": [0.01, 0.02, 0.03], "share": [0.01, 0.02, 0.03]}
    text = bench.render_runs({bench.WITH: ours, bench.WITHOUT: {"step": [1.0, 2.0, 1.0]}})
    assert "| with, times without, round by round | 1.10 (1.00 - 1.20) |" in text
    assert "| its share of the step, % | 2.00 (1.00 - 3.00) |" in text
