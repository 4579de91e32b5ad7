import pytest

from curriculum_verl.curriculum import load_config
from curriculum_verl.describe import describe, describe_condition


def described(**block):
    stages = [
        {"name": "one", "mix": {"easy": 1.0}, "exit": block.pop("exit", {"metric": "kl", "below": 1})},
        {"name": "two", "mix": {"easy": 0.25, "hard": 0.75}, "rewards": {"final": 1, "curiosity": 0.5, "coherence": 0}},
    ]
    return describe(load_config({"stages": stages, **block}))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"metric": "m", "above": 0.5}, "m is above 0.5"),
        ({"metric": "m", "below": 0.5, "window": 9}, "the mean of m over the stage's last 9 values is below 0.5"),
        ({"metric": "m", "at_least": 3}, "m is at least 3"),
        ({"metric": "m", "confident_above": 0.5, "confidence": 0.9}, "m is above 0.5 with 90% confidence (Wilson)"),
        ({"metric": "m", "plateau": {"evals": 4}}, "the slope of m over 4 evaluations is below 0.001"),
        ({"metric": "m", "plateau": {"evals": 4, "patience": 2}}, "below 0.001, 2 times in a row"),
        ({"metric": "m", "patience": 4}, "m has not got higher for 4 evaluations"),
        ({"metric": "m", "patience": {"evals": 4, "min_delta": 0.1, "mode": "min"}}, "lower by more than 0.1 for 4"),
        (
            {"any": [{"metric": "a", "above": 1}, {"all": [{"metric": "b", "above": 2}, {"metric": "c", "above": 3}]}]},
            "a is above 1 or (b is above 2 and c is above 3)",
        ),
    ],
)
def test_conditions_in_words(condition, words):
    block = {"stages": [{"name": "a", "mix": {"x": 1}, "exit": condition}, {"name": "b", "mix": {"x": 1}}]}
    assert words in describe_condition(load_config(block).stages[0].exit)


def test_stages_say_what_they_hold():
    text = described()
    assert "Stage 2 of 2: two\n  prompts: 25% easy, 75% hard\n  reward:  1 x final + 0.5 x curiosity\n" in text
    assert "it goes on to the end of the run" in text


def test_what_is_not_configured_is_not_mentioned():
    text = described()
    for word in ("rolled back", "replay", "skipped", "validation score of at least"):
        assert word not in text


def test_alerts_say_what_they_look_at_and_the_webhook_only_its_host():
    text = described(
        alerts=[
            {"name": "kl", "metric": "actor/ppo_kl", "above": 0.2, "window": 9},
            {"name": "stuck", "all": [{"metric": "stage/steps", "at_least": 5}], "repeat": 1},
        ],
        webhook="https://hooks.example.com/secret",
    )
    assert "Alert kl: when the mean of actor/ppo_kl over the run's last 9 values is above 0.2.\n" in text
    assert "Alert stuck: when stage/steps is at least 5, and again every step while that stays so.\n" in text
    assert "a webhook at hooks.example.com." in text
    assert "secret" not in text


def test_rules_say_their_numbers():
    text = described(
        rollback={"threshold": -0.2, "restore": "weights", "cooldown": 7, "interval_factor": 3, "baseline": "new_mix"},
        probation={"evals": 4, "action": "rollback"},
        replay_floor=0.15,
        admission={"retry_after": 9},
        advance={"check_every": 5, "min_performance": 0.4},
        stop={"metric": "kl", "above": 2},
    )
    for words in (
        "if the next validation scores more than 0.2 below the score taken before on the new mix; model and optimizer",
        "no advance for 7 steps, and the time between looks at that exit grows 3-fold",
        "falls within 4 validations of an advance, the advance is rolled back",
        "At least 15% of every batch",
        "after 9 steps",
        "every 5 steps",
        "at least 0.4 on the present mix",
        "the run stops when kl is above 2",
    ):
        assert words in text
