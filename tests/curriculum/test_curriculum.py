"""The public face: one truth per prompt, idempotence, what is tracked, what is refused."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_runs import POLICIES, SIZES, make, make_block, make_index, play

from curriculum_verl.curriculum import Curriculum, Decision, PromptIndex, Rate, load_config
from curriculum_verl.errors import ConfigError, InputError


@pytest.mark.parametrize("policy", POLICIES)
def test_observing_a_step_twice_changes_nothing(policy: str) -> None:
    curriculum = make(policy)
    draw = curriculum.draw(8)
    curriculum.observe(1, draw.prompts, np.ones((8, 4)))
    before = repr(curriculum.state_dict())
    assert curriculum.observe(1, draw.prompts, np.zeros((8, 4))) == Decision(1)
    assert repr(curriculum.state_dict()) == before


def test_a_switch_affects_the_very_next_batch_and_prompts_keep_the_weights_they_were_drawn_with() -> None:
    curriculum = make("mixture", advance={}, rollback=None, probation=None, admission=None, replay_floor=0.0)
    draws = []
    for step in range(1, 12):
        draws.append(curriculum.draw(10))
        curriculum.observe(step, draws[-1].prompts, np.zeros((10, 2)), metrics={"reward/coherence": 0.0})
    assert [draw.stage for draw in draws] == [0] * 9 + [1, 1]
    assert curriculum.transitions[0].step == 9
    old, new = draws[8], draws[9]
    assert (old.reward_weights["coherence"], new.reward_weights["coherence"]) == (0.0, 0.1)
    assert np.bincount(old.buckets, minlength=3).tolist() == [10, 0, 0]
    assert np.bincount(new.buckets, minlength=3).tolist() == [4, 6, 0]
    assert curriculum.reward_weights(old.stage) == old.reward_weights, (
        "a prompt in flight is still scored by its own stage"
    )


def test_every_component_has_a_weight_in_every_stage() -> None:
    curriculum = make(components={"brevity": "tests:brevity"})
    assert curriculum.reward_weights() == {"final": 1.0, "coherence": 0.0, "curiosity": 0.0, "brevity": 0.0}


def test_groups_of_an_older_stage_teach_the_policy_but_do_not_count_for_the_stage() -> None:
    curriculum = make("bandit", advance={}, rollback=None, probation=None)
    for step in range(1, 10):
        curriculum.observe(step, curriculum.draw(8).prompts, np.zeros((8, 4)))
    assert curriculum.stage_number == 1
    values = curriculum.tracker.history("train/score")[0]
    mixed = np.tile([0.0, 1.0], (8, 2))
    curriculum.observe(10, np.arange(8), mixed, stages=np.zeros(8))
    assert curriculum.tracker.history("train/score")[0] == values, "no prompt of the present stage, no value"
    assert curriculum.metrics()["policy/value/easy"] > 0
    curriculum.observe(11, np.arange(8), mixed, stages=[0] * 4 + [1] * 4)
    assert curriculum.tracker.last("train/score") == 0.5


def test_scores_that_are_not_finite_are_counted_and_kept_out() -> None:
    curriculum = make()
    draw = curriculum.draw(4)
    scores = [[1.0, float("nan")], [float("inf"), 0.0], [float("nan"), float("nan")], []]
    curriculum.observe(1, draw.prompts, scores)
    assert curriculum.metrics()["invalid_scores"] == 4
    assert curriculum.tracker.last("train/success_rate") == 0.5
    assert curriculum.tracker.window("train/success_rate", 1).trials == 1, "one passed, one did not: a trial's worth"


def test_a_step_without_one_usable_score_is_survived() -> None:
    curriculum = make("posterior")
    draw = curriculum.draw(4)
    curriculum.observe(1, draw.prompts, np.full((4, 2), np.nan))
    assert curriculum.tracker.last("train/score") is None
    assert len(curriculum.draw(4).prompts) == 4


def test_training_metrics_are_tracked_overall_and_by_bucket() -> None:
    curriculum = make()
    curriculum.observe(1, [0, 50], [[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    last = curriculum.tracker.last
    assert last("train/success_rate") == pytest.approx(5 / 8)
    assert last("train/easy/success_rate") == 0.25
    assert last("train/medium/success_rate") == 1.0
    assert last("train/informative") == 0.5
    assert last("train/medium/informative") == 0.0
    assert last("train/hard/score") is None


@pytest.mark.parametrize(
    ("prompts", "scores", "message"),
    [
        ([0, 1], [[1.0]], "got prompts of shape"),
        ([0.5], [[1.0]], "expected row numbers"),
        ([200], [[1.0]], "got prompt 200, expected row numbers from 0 to 199"),
        ([-1], [[1.0]], "got prompt -1"),
    ],
)
def test_feedback_that_does_not_fit_is_refused_before_it_changes_anything(
    prompts: list[int], scores: list[list[float]], message: str
) -> None:
    curriculum = make()
    before = repr(curriculum.state_dict())
    with pytest.raises(InputError, match=message):
        curriculum.observe(1, prompts, scores)
    assert repr(curriculum.state_dict()) == before


def test_a_draw_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="got n=0, expected at least 1"):
        make().draw(0)


def test_metrics_are_plain_numbers() -> None:
    for policy in POLICIES:
        curriculum = make(policy)
        play(curriculum, 1, 6, history=1)
        assert all(isinstance(value, int | float) for value in curriculum.metrics().values())


def test_shares_of_the_batch_match_the_mix_within_one_prompt_from_the_step_after_the_switch() -> None:
    curriculum = make("mixture", admission=None, replay_floor=0.0)
    log = play(curriculum, 1, 40, history=3)
    for entry in log:
        if len(entry) != 5:
            continue
        _, prompts, stage, _, _ = entry
        counts = np.bincount(curriculum.index.bucket_of(np.array(prompts)), minlength=3)
        mix = curriculum.index.by_bucket(curriculum.config.stages[stage].mix)
        assert (np.abs(counts - 8 * mix) < 1).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_replay_floors_hold_in_the_long_run_for_every_policy(policy: str) -> None:
    block = make_block(policy, advance={}, rollback=None, probation=None, admission=None, replay_floor=0.3)
    block["stages"] = [
        {"name": "one", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 1}},
        {"name": "two", "mix": {"hard": 1.0}},
    ]
    curriculum = Curriculum.from_config(block, make_index())
    curriculum.observe(1, curriculum.draw(8).prompts, np.ones((8, 2)))
    counts = np.zeros(3)
    for step in range(2, 52):
        draw = curriculum.draw(7)
        counts += np.bincount(draw.buckets, minlength=3)
        curriculum.observe(step, draw.prompts, np.zeros((7, 2)))
    assert counts[0] / counts.sum() == pytest.approx(0.3, abs=0.02)
    assert counts[1] == 0


@pytest.mark.parametrize(
    "wrong",
    [{"stages": [0, 0, 0]}, {"stages": [[0]]}, {"metrics": {"kl": None}}, {"metrics": {"kl": "much"}}],
)
def test_a_refused_observation_can_be_repeated_correctly(wrong: dict[str, Any]) -> None:
    curriculum = make("posterior")
    before = repr(curriculum.state_dict())
    with pytest.raises(InputError):
        curriculum.observe(1, [0, 1], [[1.0], [0.0]], **wrong)
    assert repr(curriculum.state_dict()) == before
    curriculum.observe(1, [0, 1], [[1.0], [0.0]])
    assert curriculum.tracker.last("train/score") == 0.5


def test_steps_are_counted_from_1() -> None:
    with pytest.raises(InputError, match="got step 0, expected steps counted from 1"):
        make().observe(0, [0], [[1.0]])


def test_a_rate_needs_a_number_of_trials() -> None:
    with pytest.raises(InputError, match="got -1 trials"):
        Rate(0.5, -1)


def test_a_checked_config_is_still_checked_against_the_data() -> None:
    config = load_config({"stages": [{"name": "a", "mix": {"easi": 0.5, "medium": 0.5}}]})
    with pytest.raises(ConfigError, match="unknown bucket 'easi'"):
        Curriculum(config, make_index())


def test_groups_of_one_response_say_nothing_about_variance() -> None:
    curriculum = make("mixture")
    draws = [curriculum.draw(8) for _ in range(3)]
    for step, draw in enumerate(draws, 1):
        curriculum.observe(step, draw.prompts, np.ones((8, 1)))
    assert curriculum.tracker.last("train/informative") is None
    assert curriculum.state_dict()["admission"]["streak"].sum() == 0


def test_responses_to_one_prompt_are_not_independent_trials() -> None:
    random = np.random.default_rng(0)
    block = {
        "stages": [
            {"name": "a", "mix": {"x": 1.0}, "exit": {"metric": "train/success_rate", "confident_above": 0.6}},
            {"name": "b", "mix": {"x": 1.0}},
        ]
    }
    index, early = PromptIndex.build({"x": 1000}), 0
    for _ in range(300):
        curriculum = Curriculum.from_config(block, index)
        rates = random.beta(1.0, 2 / 3, 64)  # prompts differ much; their mean is exactly the threshold
        curriculum.observe(1, np.arange(64), (random.random((64, 8)) < rates[:, None]).astype(float))
        early += curriculum.stage_number
    assert early / 300 < 0.09, "95 % confidence, for one look"


def test_success_may_be_told_apart_from_the_score() -> None:
    curriculum = make("posterior")
    curriculum.observe(1, [0, 1], [[0.1, 0.2], [0.3, float("nan")]], passed=[[True, False], [True, True]])
    assert curriculum.tracker.last("train/success_rate") == pytest.approx((0.5 + 1.0) / 2)
    assert curriculum.tracker.last("train/score") == pytest.approx((0.15 + 0.3) / 2)
    with pytest.raises(InputError, match="got 1 values for 2 scores"):
        curriculum.observe(2, [0], [[0.1, 0.2]], passed=[[True]])


def test_every_prompt_counts_alike_whatever_its_number_of_responses() -> None:
    curriculum = make()
    curriculum.observe(1, [0, 1], [[1.0] * 4, [0.0] * 32])
    assert curriculum.tracker.last("train/success_rate") == 0.5
    assert curriculum.tracker.last("train/score") == 0.5


def test_a_stage_begins_with_a_checkpoint_if_the_recipe_wants_one() -> None:
    for wanted in (True, False):
        curriculum = make(checkpoint_stages=wanted, advance={}, rollback=None, probation=None)
        decisions = [entry[4] for entry in play(curriculum, 1, 9, history=3) if len(entry) == 5]
        assert [decision.checkpoint for decision in decisions if decision.transitions] == [wanted]
        assert not any(decision.checkpoint for decision in decisions if not decision.transitions)


def test_steps_without_scores_move_the_schedule() -> None:
    curriculum = make("gaussian")
    for step in range(1, 20):
        curriculum.observe(step, metrics={"loss": 1.0})
    curriculum.observe(20, np.arange(4), np.full((4, 2), np.nan))
    assert curriculum.state_dict()["policy"]["seen"] == 20
    assert curriculum.state_dict()["admission"]["step"] == 20


def test_a_recipe_with_a_manifest_needs_no_index(tmp_path: Path) -> None:
    manifest = {"version": 1, "ids_hash": "h1", "buckets": [{"name": n, "prompts": p} for n, p in SIZES.items()]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    block = make_block(data=str(tmp_path / "manifest.json"))
    curriculum = Curriculum.from_config(block)
    assert curriculum.state_dict()["data"]["hash"] == "h1"
    assert curriculum.draw(8).prompts.max() < 40
    block["stages"][0]["mix"] = {"esy": 1.0}
    with pytest.raises(ConfigError, match="unknown bucket 'esy'"):
        Curriculum.from_config(block)
    del block["data"]
    with pytest.raises(InputError, match="expected the path of a manifest"):
        Curriculum.from_config(block)


def test_windows_as_long_as_the_recipe_asks_for_are_kept() -> None:
    block = {
        "stages": [
            {"name": "a", "mix": {"easy": 1.0}, "exit": {"metric": "kl", "window": 150, "below": 1.0}},
            {"name": "b", "mix": {"easy": 1.0}},
        ],
        "stop": {"metric": "kl", "window": 180, "below": 1.0},
    }
    curriculum = Curriculum.from_config(block, make_index())
    decisions = [curriculum.observe(step, metrics={"kl": 0.5}) for step in range(1, 340)]
    assert curriculum.transitions[0].step == 150
    assert next(decision.step for decision in decisions if decision.stop) == 330


def test_hopeless_prompts_are_skipped_and_counted() -> None:
    block = {"stages": [{"name": "a", "mix": {"hard": 1.0}}], "admission": {"retry_after": 1000}}
    curriculum = Curriculum.from_config(block, make_index())
    for step in range(1, 20):
        curriculum.observe(step, curriculum.draw(16).prompts, np.zeros((16, 4)))
    assert curriculum.metrics()["skipped/hard"] > 16


def test_prompts_come_in_random_order() -> None:
    curriculum = make("mixture", admission=None)
    curriculum.observe(9, curriculum.draw(8).prompts, np.ones((8, 4)))
    buckets = [make("uniform", stages=[{"name": "a", "mix": {"easy": 0.5, "hard": 0.5}}]).draw(64).buckets]
    assert (np.diff(buckets[0]) < 0).any(), "not bucket after bucket"


def test_progress_towards_the_end_of_the_stage_can_be_read() -> None:
    curriculum = make(advance={}, rollback=None, probation=None)
    curriculum.observe(1, [0], [[1.0, 0.0]])
    assert [str(status) for status in curriculum.end_statuses()] == [
        "train/success_rate over 3 above 0.6 (no value yet)",
        "stage/steps at_least 9 (1)",
    ]


def test_a_group_without_a_usable_score_does_not_shift_the_stages_of_the_others() -> None:
    curriculum = make()
    curriculum.observe(1, [0, 1, 2], [[float("nan")], [1.0], [0.0]], stages=[5, 0, 5])
    assert curriculum.tracker.last("train/score") == 1.0


@pytest.mark.parametrize("policy", POLICIES)
def test_a_draw_takes_no_memory_for_prompts_that_it_does_not_look_at(policy: str) -> None:
    most = []
    for rows in (3 * 10**4, 3 * 10**6):
        index = PromptIndex.build(dict.fromkeys(SIZES, rows // 3))
        curriculum = Curriculum.from_config(make_block(policy, admission=None), index)
        curriculum.draw(64)
        tracemalloc.start()
        curriculum.draw(64)
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert most[1] < 1.5 * most[0] < 300_000


def test_a_curriculum_that_begins_at_a_later_step_counts_its_stage_from_there() -> None:
    block = make_block(advance={"check_every": 10}, rollback=None, probation=None, admission=None)
    block["stages"][0]["exit"] = {"metric": "stage/steps", "at_least": 20}
    curriculum = Curriculum.from_config(block, make_index())
    curriculum.begin_at(400)
    assert curriculum.step == 400
    for step in range(401, 420):
        curriculum.observe(step, curriculum.draw(8).prompts, np.zeros((8, 2)))
    assert (curriculum.stage_number, curriculum.metrics()["stage_steps"]) == (0, 19)
    curriculum.observe(420, curriculum.draw(8).prompts, np.zeros((8, 2)))
    assert [transition.step for transition in curriculum.transitions] == [420]
