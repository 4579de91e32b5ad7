import math

import pytest

from curriculum_verl.errors import CurriculumError
from curriculum_verl.verl_plugin.feedback import FAILURE, Trajectory, gather, last_outputs, refuse_failures, usage


def trajectory(key, row=0, reward=0.0, stage=0, bucket="easy", weights=None, scales=None, **extra):
    ticket = {"row": row, "stage": stage, "bucket": bucket, "weights": weights or {}, "scales": scales or {}}
    return Trajectory(key, ticket, reward, {FAILURE: ""} | extra)


def test_responses_are_put_together_by_prompt_in_the_order_of_their_first():
    feedback = gather(
        [
            trajectory("u1_0_0", row=5, reward=1.0, stage=1, bucket="hard"),
            trajectory("u2_0_0", row=7, reward=0.0),
            trajectory("u1_1_0", row=5, reward=0.5, stage=1, bucket="hard"),
        ]
    )
    assert (feedback.rows, feedback.stages, feedback.buckets) == ([5, 7], [1, 0], ["hard", "easy"])
    assert feedback.rewards == [[1.0, 0.5], [0.0]]
    assert feedback.passed is None


def test_the_same_row_drawn_twice_is_two_groups():
    assert gather([trajectory("u1_0_0", row=5), trajectory("u2_0_0", row=5)]).rows == [5, 5]


def test_of_an_agent_with_several_outputs_the_last_counts():
    found = last_outputs(
        [trajectory("u_0_0"), trajectory("u_0_10", reward=1.0), trajectory("u_0_9"), trajectory("u_1_0")]
    )
    assert [t.key for t in found] == ["u_0_10", "u_1_0"]


def test_success_is_told_only_where_every_response_tells_it():
    told = [trajectory("u_0_0", success=1.0), trajectory("u_1_0", success=0.0)]
    assert gather(told).passed == [[1.0, 0.0]]
    assert gather([*told, trajectory("u_2_0")]).passed is None


def test_components_are_means_over_the_responses_that_have_one():
    extras = [{"reward/final": 1.0, "reward/coherence": None, "acc": 1}, {"reward/final": 0.0, "reward/coherence": 0.5}]
    extras.append({"reward/final": math.nan})
    components = gather([trajectory(f"u_{n}_0", **extra) for n, extra in enumerate(extras)]).components
    assert components == {"reward/final": 0.5, "reward/coherence": 0.5}


def test_what_components_add_to_rewards_sums_up_to_the_mean_reward():
    stages = [{"final": 1.0, "coherence": 0.0}, {"final": 1.0, "coherence": 0.1}]
    scales = {"coherence": [0.5, 2.0, -1.0, 1.0]}
    told = [
        trajectory("u_0_0", weights=stages[0], scales=scales, **{"reward/final": 1.0, "reward/coherence": 0.25}),
        trajectory("u_1_0", weights=stages[1], scales=scales, **{"reward/final": 0.0, "reward/coherence": 0.75}),
        trajectory("u_2_0", weights=stages[1], scales=scales, **{"reward/final": 1.0, "reward/coherence": None}),
    ]
    rewards = [1.0, 0.1 * 0.5, 1.0]
    components = gather(told).components
    assert components["reward/coherence"] == 0.5
    assert components["reward_normalised/coherence"] == pytest.approx((-0.5 + 0.5) / 2)
    assert "reward_normalised/final" not in components, "it has no scale"
    weighted = components["reward_weighted/final"] + components["reward_weighted/coherence"]
    assert weighted == pytest.approx(sum(rewards) / 3)


def test_a_step_without_trajectories_is_empty():
    assert gather([]).rows == []
    assert gather([]).passed is None


def test_what_could_not_be_judged_is_invalid_and_neither_passed_nor_failed():
    broken = {"reward/final": None, "success": None, FAILURE: "final of prompt p: broke"}
    feedback = gather([trajectory("u_0_0", reward=0.1, **broken), trajectory("u_1_0", reward=1.0, success=1.0)])
    assert math.isnan(feedback.rewards[0][0])
    assert feedback.rewards[0][1] == 1.0
    assert feedback.failures == ["final of prompt p: broke"]


def test_too_many_failures_end_the_run_and_few_do_not():
    broken = [trajectory("u_0_0", **{FAILURE: "final of prompt p: broke"})]
    feedback = gather([*broken, *(trajectory(f"u_{n}_0") for n in range(1, 10))])
    refuse_failures(feedback.failures, 10, 0.1)
    with pytest.raises(CurriculumError, match=r"failed for 1 of 10 responses, expected at most 5%; .* broke"):
        refuse_failures(feedback.failures, 10, 0.05)


def test_rewards_of_another_manager_end_the_run():
    with pytest.raises(CurriculumError, match="no response was scored by CurriculumRewardManager"):
        gather([Trajectory("u_0_0", {"row": 0, "stage": 0, "bucket": "easy"}, 1.0, {"acc": 1.0})])


def test_tokens_and_tools_are_counted_by_bucket():
    def response(bucket, tokens, turns):
        return Trajectory("u_0_0", {"row": 0, "stage": 0, "bucket": bucket}, 0.0, {}, tokens, turns)

    found = usage([response("easy", 10, 2), response("easy", 30, 4), response("hard", 5, 2)])
    assert found["tokens/easy"] == 40
    assert found["response_length/easy"] == 20
    assert found["tokens/hard"] == 5
    assert found["tool_use_rate"] == pytest.approx(1 / 3)


def test_the_filtering_rate_is_the_share_of_groups_with_a_signal():
    groups = [trajectory("a_0_0", reward=0.1 + 0.2), trajectory("a_1_0", reward=0.3), trajectory("b_0_0")]
    groups += [trajectory("c_0_0", reward=1.0), trajectory("c_1_0")]
    assert gather(groups).usage["filtering_rate"] == 0.5, "a group of one has none to differ from"
