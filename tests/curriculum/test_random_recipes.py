"""Any recipe that is accepted runs: no crash, no lost slot, no endless asking, and a resume changes nothing."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curriculum_verl.curriculum import Curriculum, PromptIndex, Rate
from curriculum_verl.errors import ConfigError

METRICS = (
    "train/success_rate",
    "train/score",
    "val/score",
    "val/b0/score",
    "stage/steps",
    "kl",
    "nobody/reports",
    "both",
)
POLICIES = ("uniform", "mixture", "bandit", "posterior", "target_difficulty", "gaussian")
STEPS = 40


def condition(choose: random.Random, depth: int = 0) -> dict[str, Any]:
    if depth < 2 and choose.random() < 0.3:
        return {choose.choice(["any", "all"]): [condition(choose, depth + 1) for _ in range(choose.randint(1, 3))]}
    tests = [
        {"above": choose.choice([0.1, 0.6, 5])},
        {"below": choose.choice([0.3, 0.6])},
        {"at_least": choose.choice([0.3, 5])},
        {"confident_above": choose.choice([0.2, 0.5])},
        {"plateau": {"evals": choose.randint(2, 4), "slope_below": choose.choice([-0.1, 0.5])}},
        {"patience": choose.randint(1, 4)},
    ]
    return {"metric": choose.choice(METRICS), "window": choose.choice([1, 1, 3, 7]), **choose.choice(tests)}


def recipe(choose: random.Random, buckets: list[str]) -> dict[str, Any]:
    stages = []
    for number in range(choose.randint(1, 4)):
        weights = {bucket: choose.random() + 0.01 for bucket in choose.sample(buckets, choose.randint(1, len(buckets)))}
        mix = {bucket: weight / sum(weights.values()) for bucket, weight in weights.items()}
        stages.append({"name": f"s{number}", "mix": mix, "exit": condition(choose)})
    del stages[-1]["exit"]
    policy = {"name": choose.choice(POLICIES)}
    maybe = {
        "advance": {
            "check_every": choose.choice([1, 3, 10]),
            "validate_now": choose.random() < 0.5,
            "min_performance": choose.choice([None, 0.1, 0.5]),
        },
        "rollback": {"threshold": choose.choice([0, -0.1, -0.5]), "restore": choose.choice(["data", "weights"])},
        "probation": {"evals": 2, "threshold": -0.1, "action": choose.choice(["replay", "rollback"])},
        "admission": {"retry_after": 5},
        "stop": condition(choose),
    }
    return {
        "stages": stages,
        "policy": policy | ({"steps": 20} if policy["name"] == "gaussian" else {}),
        "replay_floor": choose.choice([0, 0.1, 0.5, 0.95]),
        "derived": {"both": "train/score * val/score"},
        **{key: value for key, value in maybe.items() if choose.random() < 0.6},
    }


def step(curriculum: Curriculum, number: int, seed: int) -> list[str]:
    fate = np.random.default_rng([seed, number])
    n = int(fate.integers(1, 12))
    draw = curriculum.draw(n)
    assert len(draw.prompts) == n
    assert ((draw.prompts >= 0) & (draw.prompts < len(curriculum.index))).all()
    chance = np.clip(fate.random() * 1.2 - 0.2 * draw.buckets, 0, 1)
    scores = [(fate.random(int(fate.integers(0, 5))) < p).astype(float).tolist() for p in chance]
    if fate.random() < 0.1:
        scores = [[float("nan")] * 2] * n
    decision = curriculum.observe(number, draw.prompts, scores, metrics={"kl": float(fate.random())})
    return [repr(draw.prompts), repr(decision)]


def validations(curriculum: Curriculum, number: int, seed: int) -> list[str]:
    """What is asked for - sometimes it does not come - and every fifth step; now and then a bucket is missing."""
    fate = np.random.default_rng([seed, number, 1])
    log: list[str] = []
    while (curriculum.awaits_validation and fate.random() < 0.9) or (number % 5 == 0 and not log):
        names = [name for name in curriculum.index.names if fate.random() < 0.97]
        scores = {name: Rate(float(np.clip(fate.normal(0.6, 0.3), 0, 1)), 30) for name in names}
        log.append(repr(curriculum.evaluate(number, scores)))
        assert len(log) < 6, "asks again and again for one step"
    return log


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_any_recipe_runs_and_resumes(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    choose = random.Random(seed)
    sizes = {f"b{number}": choose.choice([1, 3, 20, 200]) for number in range(choose.randint(1, 4))}
    rows = sum(sizes.values())
    known = {"difficulty": np.linspace(0, 1, rows), "pass_rate": np.linspace(1, 0, rows)}
    index = PromptIndex.build(sizes, **(known if choose.random() < 0.5 else {}))
    block = recipe(choose, list(sizes))
    try:
        whole = Curriculum.from_config(block, index)
    except ConfigError:
        return
    path: Path = tmp_path_factory.mktemp("run") / "state.json"
    expected, resumed = [], []
    part = Curriculum.from_config(block, index)
    for number in range(1, STEPS + 1):
        expected += step(whole, number, seed) + validations(whole, number, seed)
        resumed += step(part, number, seed)
        if choose.random() < 0.2:
            part.save(path)
            part = Curriculum.from_config(block, index)
            part.load(path)
        resumed += validations(part, number, seed)
    assert resumed == expected
    assert part.metrics() == whole.metrics()
