"""The benchmark of the analysis: it makes what it says, and measures a whole analysis."""

import importlib
import json
import sys
from pathlib import Path

import pytest


@pytest.fixture
def bench(monkeypatch):
    """The script, imported from its own folder; nothing of it stays for other tests."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield importlib.import_module("bench_analysis")
    monkeypatch.delitem(sys.modules, "bench_analysis", raising=False)


def test_a_small_run_prints_and_writes_every_figure(bench, tmp_path, capsys):
    path = tmp_path / "new" / "bench.json"
    assert bench.main(["--responses", "320", "--json", str(path)]) == 0
    [found] = json.loads(path.read_text(encoding="utf-8"))
    assert (found["responses"], found["workers"]) == (320, 1)
    assert found["responses_per_second"] == pytest.approx(320 / found["seconds"])
    assert 50 < found["peak_megabytes"] < 2000
    assert "      320        1" in capsys.readouterr().out


def test_two_runs_of_the_same_prompts_are_made(bench, tmp_path):
    size = bench.make(tmp_path, 160)
    ids = [
        [json.loads(line)["id"] for line in path.read_text().splitlines()] for path in sorted(tmp_path.glob("*.jsonl"))
    ]
    assert ids == [[f"task-{number}" for number in range(10)]] * 2
    assert size == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_more_lines_than_are_different_have_ids_of_their_own(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "DIFFERENT", 3)
    bench.make(tmp_path, 160)
    rows = [json.loads(line) for line in (tmp_path / "full.jsonl").read_text().splitlines()]
    assert len({row["id"] for row in rows}) == 10
    assert rows[0]["response"] == rows[3]["response"] != rows[1]["response"]


@pytest.mark.parametrize("text", ["0", "1.5", "many"])
def test_a_count_that_is_none_is_refused(bench, text, capsys):
    with pytest.raises(SystemExit):
        bench.main(["--responses", text])
    assert "expected a whole number" in capsys.readouterr().err
