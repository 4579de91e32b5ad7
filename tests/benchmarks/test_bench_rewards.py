"""The benchmark of the rewards: responses are as long as they say, the report is complete and can say both verdicts."""

import importlib
import json
import random
import sys
from pathlib import Path

import pytest

from curriculum_verl.rewards.settings import Operations
from curriculum_verl.rewards.trajectory import read_trajectory


@pytest.fixture
def bench(monkeypatch):
    """The script, imported from its own folder; nothing of it stays for other tests."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield importlib.import_module("bench_rewards")
    monkeypatch.delitem(sys.modules, "bench_rewards", raising=False)


def test_a_small_run_prints_and_writes_every_figure(bench, tmp_path, capsys):
    path = tmp_path / "new" / "bench.json"
    assert bench.main(["--tokens", "1000", "50", "--responses", "9", "--rounds", "1", "--json", str(path)]) == 0
    found = json.loads(path.read_text(encoding="utf-8"))["responses_a_second"]
    assert list(found) == ["50", "1000"]
    assert all(rate > 0 for rates in found.values() for rate in rates.values())
    printed = capsys.readouterr().out
    assert all(f"| {name} |" in printed for name in found["50"])
    assert "goal: coherence + curiosity's features at 1,000 tokens >= 2,000" in printed


@pytest.mark.parametrize(("rate", "verdict"), [(1999.0, "NOT MET"), (2000.0, "met")])
def test_the_verdict_follows_the_figure(bench, rate, verdict):
    assert bench.render({1000: {bench.TOGETHER: rate}}).endswith(f", {verdict}")


@pytest.mark.parametrize("tokens", [200, 4000])
def test_responses_are_as_long_as_they_say_and_use_tools(bench, tokens):
    text = bench.made_up_response(random.Random(1), tokens, prose=False)
    assert len(text) == pytest.approx(tokens * bench.BYTES_A_TOKEN, rel=0.2)
    trajectory = read_trajectory(text, Operations())
    assert len(trajectory.operations) >= tokens / 200
    assert trajectory.malformed == 0
    assert not read_trajectory(bench.made_up_response(random.Random(1), tokens, prose=True), Operations()).operations
