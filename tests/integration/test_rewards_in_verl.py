"""Reward weights that switch 1/0/0 -> 1/0.1/0 -> 1/0.1/0.05 at metrics, in real verl, with a model that calls tools."""

import json
import shutil

import pytest
from integration.curriculum_runs import curriculum_recipe, ends_well, events, killed_and_resumed, logged
from integration.verl_runs import Run
from integration.verl_toy import Toy, teach

STAGES = [
    {
        "name": "goal",
        "mix": {"easy": 0.5, "hard": 0.5},
        "rewards": {"final": 1.0, "coherence": 0.0, "curiosity": 0.0},
        "exit": {"metric": "reward/final", "window": 2, "above": 0.01},
    },
    {
        "name": "coherence",
        "mix": {"easy": 0.5, "hard": 0.5},
        "rewards": {"final": 1.0, "coherence": 0.1},
        "exit": {"metric": "reward/coherence", "plateau": {"evals": 2, "slope_below": 10.0}},
    },
    {
        "name": "curiosity",
        "mix": {"easy": 0.5, "hard": 0.5},
        "rewards": {"final": 1.0, "coherence": 0.1, "curiosity": 0.05},
    },
]
WEIGHTS = [{"final": 1.0}, {"final": 1.0, "coherence": 0.1}, {"final": 1.0, "coherence": 0.1, "curiosity": 0.05}]
STEPS = 6


@pytest.fixture(scope="module")
def runs(toy, data, tmp_path_factory) -> list[Run]:
    """A run that is killed in its last stage, and resumed."""
    folder = tmp_path_factory.mktemp("rewards")
    taught = Toy(shutil.copytree(toy.model, folder / "model"), toy.train, toy.val, toy.reward)
    teach(taught.model, [(f"{a}+{b}=?", f"LOOK(x={a})\n{a + b}") for a in range(9) for b in range(9)])
    operations = {"weights": {"LOOK": 1.0}, "thoughts": [], "needs": {}}
    scoring = {
        "final": {"default": "numeric"},
        "operations": operations,
        "curiosity": {"target": 1.0},
        "normalise": {"coherence": {"kind": "clip", "low": -0.5, "high": 0.5}},
    }
    recipe = curriculum_recipe(taught, data, stages=STAGES, scoring=scoring)
    del recipe["reward"]["custom_reward_function"]
    overrides = {"data.max_response_length": 16, "trainer.save_freq": 1, "trainer.test_freq": -1}
    return killed_and_resumed(folder, recipe, overrides, after=5)


def test_weights_switch_at_the_metrics_and_every_response_is_weighed_by_its_stage(runs):
    ends_well(runs[-1])
    told = {(line["step"], line["target"]): line["reason"] for line in events(runs[-1], "advance")}
    assert [target for _, target in sorted(told)] == ["coherence", "curiosity"]
    assert any("reward/final over 2 above 0.01" in reason for reason in told.values())
    seen = set()
    for step in range(1, STEPS + 1):
        for line in logged(runs[0], step):
            seen.add(line["stage"])
            weights = WEIGHTS[line["stage"]]
            assert {name: weight for name, weight in line["weights"].items() if weight} == weights
            for number, reward in enumerate(line["weighted_reward"]):
                raw = {name: values[number] for name, values in line["components"].items()}
                raw["coherence"] = min(0.5, max(-0.5, raw["coherence"]))  # as normalised; told is the raw one
                assert reward == pytest.approx(sum(weight * raw[name] for name, weight in weights.items()), abs=1e-5)
    assert seen == {0, 1, 2}


def test_raw_components_are_told_in_every_stage_whatever_their_weight(runs):
    first, last = runs[0].metrics[1], runs[-1].metrics[STEPS]
    for name in ("reward/final", "reward/coherence", "reward/curiosity", "reward/coherence/repetition"):
        assert name in first, name
        assert name in last, name
    assert first["curriculum/curiosity/tool_use_rate"] > 0, "the model was taught to call a tool"
    assert any(value != 0 for step in range(1, STEPS + 1) for value in curiosity(runs, step)), "so there is a bonus"
    for line in logged(runs[0], 1):
        for value, text in zip(line["components"]["curiosity"], line["response"], strict=True):
            assert value <= 0 or "LOOK(" in text, "a bonus is for a call"


def test_what_components_add_sums_up_to_the_reward_and_normalised_values_are_told_beside_the_raw(runs):
    for step, metrics in runs[0].metrics.items():
        rewards = [reward for line in logged(runs[0], step) for reward in line["weighted_reward"]]
        added = [value for name, value in metrics.items() if name.startswith("reward_weighted/")]
        assert sum(added) == pytest.approx(sum(rewards) / len(rewards), abs=1e-5)
        raw = [value for line in logged(runs[0], step) for value in line["components"]["coherence"]]
        clipped = sum(min(0.5, max(-0.5, value)) for value in raw) / len(raw)
        assert metrics["reward_normalised/coherence"] == pytest.approx(clipped, abs=1e-5)
        assert metrics["reward/coherence"] == pytest.approx(sum(raw) / len(raw), abs=1e-5)


def curiosity(runs: list[Run], step: int) -> list[float]:
    return [value for line in logged(runs[0], step) for value in line["components"]["curiosity"]]


def test_what_curiosity_has_seen_is_in_the_checkpoint(runs):
    folder = runs[-1].folder / "checkpoints" / f"global_step_{STEPS}"
    state = json.loads((folder / "rewards.json").read_text())["state"]
    assert state["curiosity"]["step"] == STEPS
    counted = sum(count for count, _ in state["curiosity"]["states"].values())
    assert counted > 8 * 4, "more than one step can show: what was seen before the kill is still known"
    assert runs[0].metrics[1]["curriculum/curiosity/states"] > 0
