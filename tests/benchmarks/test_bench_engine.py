"""The benchmark of the engine: its peers do what their rule says, its report is complete and can say both verdicts."""

import json
import random

import numpy as np
import pytest


@pytest.mark.slow
def test_a_small_run_prints_and_writes_every_figure(load, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(load("engine.rounds"), "WARM_UP", 2)
    path = tmp_path / "new" / "bench.json"
    assert load("bench_engine").main(["--sizes", "2e3", "1000", "--rounds", "2", "--json", str(path)]) == 0

    contenders = load("engine.contenders")
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["settings"] == {"batch": 1024, "responses": 16, "rounds": 2, "sizes": [1000, 2000]}
    engines = {setup.name for setup in contenders.SETUPS}
    found = {(entry["contender"], entry["prompts"]) for entry in written["results"]}
    assert found == {(name, size) for name in engines | set(contenders.PEERS) for size in (1000, 2000)}
    for entry in written["results"]:
        assert 0 < entry["draw"]["min"] <= entry["draw"]["median"] <= entry["draw"]["max"]
        assert not entry["draw"]["extrapolated"]
        if entry["contender"] in engines:
            assert 0 < entry["observe"]["min"] <= entry["observe"]["median"] <= entry["observe"]["max"]
            assert entry["memory"]["bytes_per_prompt"] > 0
            assert entry["memory"]["draw_peak_bytes"] > 0
            assert entry["save"]["bytes"] > 0
            assert entry["save"]["seconds"]["median"] > 0
    assert {goal["contender"] for goal in written["goals"]} == engines
    assert all(goal["met"] == _met(goal) for goal in written["goals"])

    printed = capsys.readouterr().out
    assert printed.startswith("- machine: ")
    assert all(f"\n| {name} | " in printed for name in engines | set(contenders.PEERS))
    assert f"{sum(goal['met'] for goal in written['goals'])} of {len(written['goals'])} met" in printed


def _met(goal):
    return goal["measured"] <= goal["wanted"] if goal["at_most"] else goal["measured"] >= goal["wanted"]


@pytest.mark.slow
def test_a_run_counts_the_bytes_of_the_arrays(load, monkeypatch):
    rounds, contenders = load("engine.rounds"), load("engine.contenders")
    monkeypatch.setattr(rounds, "WARM_UP", 2)
    bytes_per_prompt = {}
    for setup in contenders.SETUPS:
        engine, memory = rounds.prepare(setup, 50_000)
        assert engine.curriculum.step == rounds.WARM_UP + 1
        bytes_per_prompt[setup.name] = memory["bytes_per_prompt"]
    arrays = {
        "target_difficulty": 4 + 4,  # the difficulty and the order by it
        "posterior": 2 + 8,  # the offline pass rate and the record
        "mixture + admission": 5,
        "posterior + admission": 2 + 8 + 5,
    }
    assert bytes_per_prompt == pytest.approx({name: arrays.get(name, 0) for name in bytes_per_prompt}, abs=0.9)


def test_argsort_takes_the_nearest_of_all(load):
    rng = np.random.default_rng(3)
    difficulty = rng.permutation(500).astype(np.float64)
    taken = load("engine.peers").nearest_by_argsort(difficulty, 100.25, 7)
    brute = sorted(range(500), key=lambda row: abs(float(difficulty[row]) - 100.25))[:7]
    assert taken.tolist() == brute


@pytest.mark.parametrize(
    ("score", "weight"), [(None, 1.0), (0.0, 0.2), (0.25, 0.2), (0.26, 1.0), (0.75, 1.0), (0.76, 0.2), (1.5, 0.2)]
)
def test_a_pool_weighs_by_the_latest_score(load, score, weight):
    assert load("engine.peers").pool_weight(score) == weight


def test_weighted_choices_follow_the_weights(load):
    peers = load("engine.peers")
    weights = [0.2, 1.0, 0.2, 1.0]
    chances = np.array(weights) / sum(weights)
    rng, numpy_rng = random.Random(1), np.random.default_rng(1)
    latest = {0: 0.1, 1: 0.5, 2: 0.9}
    rules = (
        lambda: peers.pool_choice(4, latest, rng),
        lambda: peers.weighted_choice(weights, rng),
        lambda: peers.weighted_choice_numpy(chances, numpy_rng),
    )
    for rule in rules:
        counts = np.bincount([rule() for _ in range(4000)], minlength=4)
        assert counts / 4000 == pytest.approx(chances, abs=0.04)


def test_peers_observe_as_their_rules_say(load):
    peers = load("engine.peers")
    latest = {5: 0.1}
    peers.keep_scores(latest, [5, 6], np.array([[1.0, 0.0], [1.0, 1.0]]))
    assert latest == {5: 0.5, 6: 1.0}
    assert peers.moved_target(0.4, np.array([[1.0, 0.0]])) == 0.4
    assert 0.4 < peers.moved_target(0.4, np.array([[1.0, 1.0]])) < 0.45
    assert peers.moved_target(0.0, np.array([[0.0, 0.0]])) == 0.0


def test_a_choice_over_too_many_prompts_is_extrapolated_and_marked(load):
    rounds, measuring, report = load("engine.rounds"), load("measuring"), load("report")
    spread = measuring.Spread(0.5, 0.4, 0.6)
    times = {("choice", 10_000): {"draw": spread}, ("choice", 100_000): {"draw": spread}}
    result = rounds.extrapolated(times, "choice", [10_000, 100_000, 10_000_000])
    assert result["choice", 10_000] == result["choice", 100_000] == spread
    assert result["choice", 10_000_000] == measuring.Spread(50.0, 40.0, 60.0, extrapolated=True)
    assert report.shown(result["choice", 10_000_000], 1e3) == "~50,000"
    assert report.shown(spread, 1e3) == "500 (400 - 600)"


def test_help_has_examples_and_a_wrong_number_is_refused(load, capsys):
    main = load("bench_engine").main
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "--sizes 1e4 1e5" in capsys.readouterr().out
    for wrong in (["--sizes", "1e4", "many"], ["--sizes", "99"], ["--rounds", "0"]):
        with pytest.raises(SystemExit) as stopped:
            main(wrong)
        assert stopped.value.code == 2
        assert "expected a whole number" in capsys.readouterr().err
