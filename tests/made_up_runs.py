"""Curricula over made-up data, and made-up training runs to play on them; shared by tests."""

from typing import Any

import numpy as np

from curriculum_verl.curriculum import Curriculum, PromptIndex, Rate

POLICIES: dict[str, dict[str, Any]] = {
    "uniform": {},
    "mixture": {},
    "bandit": {"explore": 0.2},
    "posterior": {},
    "gaussian": {"steps": 20},
    "target_difficulty": {},
}


SIZES = {"easy": 40, "medium": 90, "hard": 70}


def make_index(**changes: Any) -> PromptIndex:
    rows = sum(SIZES.values())
    given = {"difficulty": np.linspace(0, 1, rows), "pass_rate": np.linspace(1, 0, rows), "data_hash": "h1"}
    return PromptIndex.build(SIZES, **(given | changes))


def make_block(policy: str = "mixture", **changes: Any) -> dict[str, Any]:
    block = {
        "seed": 7,
        "policy": {"name": policy, **POLICIES[policy]},
        "stages": [
            {
                "name": "one",
                "mix": {"easy": 1.0},
                "exit": {
                    "any": [
                        {"metric": "train/success_rate", "window": 3, "above": 0.6},
                        {"metric": "stage/steps", "at_least": 9},
                    ]
                },
            },
            {
                "name": "two",
                "mix": {"easy": 0.4, "medium": 0.6},
                "rewards": {"final": 1.0, "coherence": 0.1},
                "exit": {
                    "any": [
                        {"metric": "joint", "plateau": {"evals": 3, "slope_below": 0.01, "patience": 2}},
                        {"metric": "val/medium/score", "confident_above": 0.5},
                        {"metric": "reward/coherence", "patience": 4},
                    ]
                },
            },
            {
                "name": "three",
                "mix": {"easy": 0.2, "medium": 0.3, "hard": 0.5},
                "rewards": {"final": 1.0, "coherence": 0.1, "curiosity": 0.05},
            },
        ],
        "derived": {"joint": "train/success_rate * reward/coherence"},
        "advance": {"check_every": 2, "min_performance": 0.2, "validate_now": True},
        "rollback": {"threshold": -0.2, "cooldown": 3, "restore": "weights"},
        "probation": {"evals": 2, "threshold": -0.1, "action": "replay"},
        "replay_floor": 0.15,
        "admission": {"retry_after": 4, "min_chance": 0.1},
        "stop": {"metric": "val/score", "patience": {"evals": 5}},
    }
    return block | changes


def make(policy: str = "mixture", index: PromptIndex | None = None, **changes: Any) -> Curriculum:
    return Curriculum.from_config(make_block(policy, **changes), index or make_index())


def observe(curriculum: Curriculum, step: int, history: int) -> list[Any]:
    """One step of a made-up run: what comes back depends on the prompts, the step and the number of the history."""
    draw = curriculum.draw(8)
    random = np.random.default_rng([history, step])
    chance = np.clip(0.9 - draw.prompts / 150 + 0.01 * step + random.normal(0, 0.2), 0, 1)
    scores = (random.random((8, 4)) < chance[:, None]).astype(float)
    scores[random.random((8, 4)) < 0.05] = np.nan
    measured = {"reward/coherence": float(random.random()), "kl": float("inf") if step % 5 == 0 else 0.1}
    decision = curriculum.observe(step, draw.prompts, scores, metrics=measured)
    return [(step, draw.prompts.tolist(), draw.stage, draw.reward_weights, decision)]


def validate(curriculum: Curriculum, step: int, history: int) -> list[Any]:
    """What is asked for, and every fourth step; goes by what the curriculum says, as after a resume."""
    log: list[Any] = []
    scheduled = step % 4 == 0 and curriculum.validated_step < step
    while len(log) < 3 and (curriculum.awaits_validation or (scheduled and not log)):
        random = np.random.default_rng([history, step, len(log)])
        level = np.clip(random.normal([0.8, 0.5, 0.2], 0.25), 0, 1).round(3)
        scores_by_bucket = dict(zip(SIZES, (Rate(float(v), 40) for v in level), strict=True))
        log.append((step, curriculum.evaluate(step, scores_by_bucket), curriculum.reward_weights()))
    return log


def play(curriculum: Curriculum, first: int, last: int, history: int, log: list[Any] | None = None) -> list[Any]:
    """Steps and validations of a made-up run."""
    log = [] if log is None else log
    for step in range(first, last + 1):
        log += observe(curriculum, step, history)
        log += validate(curriculum, step, history)
    return log
