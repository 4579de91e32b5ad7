"""The benchmark of the analysis: it makes what it says, and measures a whole analysis."""

import json

import pytest


@pytest.fixture
def bench(load):
    return load("bench_analysis")


def test_a_small_run_prints_and_writes_every_figure(bench, tmp_path, capsys):
    path = tmp_path / "new" / "bench.json"
    assert bench.main(["--responses", "320", "--rounds", "1", "--json", str(path)]) == 0
    [found] = json.loads(path.read_text(encoding="utf-8"))
    assert (found["responses"], found["workers"]) == (320, 1)
    assert found["rate"] == pytest.approx([320 / seconds for seconds in found["seconds"]])
    [peak] = found["peak_megabytes"]
    assert 50 < peak < 2000
    assert "\n| 320 | 1 | " in capsys.readouterr().out


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
