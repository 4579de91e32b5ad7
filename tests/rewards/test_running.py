import json

import pytest

from curriculum_verl.rewards.running import RunningRewards, normalised
from curriculum_verl.rewards.scorer import ScoringSettings
from curriculum_verl.rewards.settings import Normalisation
from curriculum_verl.rewards.usage import Trace

SETTINGS = ScoringSettings(normalise={"coherence": Normalisation("z_score"), "final": Normalisation("none")})
USES = Trace(operations=(("ZOOM_IN", 5),), calls=1, steps=1)
GROUPS = [[USES, Trace()], [Trace(), Trace()]]


def made() -> RunningRewards:
    return RunningRewards(SETTINGS, ["final", "coherence", "curiosity"])


def test_the_scale_of_a_step_is_that_of_the_steps_before_and_travels_as_plain_numbers():
    rewards = made()
    assert list(rewards.scales()) == ["coherence"]
    rewards.observe(1, GROUPS, {"coherence": [0.0, 2.0]})
    scale = json.loads(json.dumps(rewards.scales()))["coherence"]
    assert normalised(2.0, scale) == pytest.approx(1.0)
    assert normalised(2.0, None) == 2.0


def test_what_was_seen_often_is_worth_less_and_scoring_alone_changes_nothing():
    rewards = made()
    [[first, without], _] = rewards.score_groups(GROUPS)
    assert rewards.score_groups(GROUPS)[0][0] == first
    assert first.value > without.value
    for step in range(1, 5):
        rewards.observe(step, GROUPS, {})
    assert rewards.score_groups(GROUPS)[0][0].value < first.value


def test_it_goes_on_where_it_stood():
    rewards, again = made(), made()
    for step in range(1, 4):
        rewards.observe(step, GROUPS, {"coherence": [0.1 * step, 0.5]})
    again.load_state_dict(json.loads(json.dumps(rewards.state_dict())))
    assert again.scales() == rewards.scales()
    assert again.score_groups(GROUPS) == rewards.score_groups(GROUPS)
    assert again.metrics() == rewards.metrics()


def test_what_no_stage_weighs_is_not_kept():
    rewards = RunningRewards(SETTINGS, ["final"])
    assert not rewards.curious
    assert rewards.scales() == {}
    rewards.observe(1, [], {"final": [1.0]})
    assert rewards.metrics() == {}
    rewards.load_state_dict(made().state_dict())  # of a run that had more


def test_metrics_say_how_tools_were_used():
    rewards = made()
    rewards.observe(1, GROUPS, {"coherence": [1.0]})
    assert rewards.metrics()["curiosity/tool_use_rate"] == 0.25
    assert rewards.metrics()["normalise/coherence/mean"] == 1.0
