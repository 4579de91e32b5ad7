"""The benchmark of the rewards: responses are as long as they say, the report is complete and can say both verdicts."""

import json
import random

import pytest

from curriculum_verl.rewards.settings import Operations
from curriculum_verl.rewards.trajectory import read_trajectory


@pytest.fixture
def bench(load):
    return load("bench_rewards")


def test_a_small_run_prints_and_writes_every_figure(bench, tmp_path, capsys):
    path = tmp_path / "new" / "bench.json"
    assert bench.main(["--tokens", "1000", "50", "--responses", "9", "--rounds", "1", "--json", str(path)]) == 0
    found = json.loads(path.read_text(encoding="utf-8"))["responses_a_second"]
    assert {entry["tokens"] for entry in found} == {50, 1000}
    assert all(0 < entry["min"] <= entry["median"] <= entry["max"] for entry in found)
    printed = capsys.readouterr().out
    assert all(f"| {entry['contender']} |" in printed for entry in found)
    assert "| coherence + curiosity's features, 1,000 tokens | >= 2,000 responses a second | " in printed


@pytest.mark.parametrize(("rate", "verdict"), [(1999.0, "| **NOT MET** |"), (2000.0, "| met |")])
def test_the_verdict_follows_the_figure(bench, load, rate, verdict):
    spread = load("measuring").Spread(rate, 1.0, 9999.0)
    assert verdict in bench.render({(bench.TOGETHER, 1000): spread})


@pytest.mark.parametrize("tokens", [200, 4000])
def test_responses_are_as_long_as_they_say_and_use_tools(bench, tokens):
    text = bench.made_up_response(random.Random(1), tokens, prose=False)
    assert len(text) == pytest.approx(tokens * bench.BYTES_A_TOKEN, rel=0.2)
    trajectory = read_trajectory(text, Operations())
    assert len(trajectory.operations) >= tokens / 200
    assert trajectory.malformed == 0
    assert not read_trajectory(bench.made_up_response(random.Random(1), tokens, prose=True), Operations()).operations
