"""The public face: the invariants of exact resume, one truth per prompt, and idempotence, on random histories."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curriculum_verl.curriculum import Curriculum, Decision, PromptIndex, Rate, load_config
from curriculum_verl.errors import ConfigError, InputError, StateError

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


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=6, deadline=None)
@given(history=st.integers(0, 10**6), steps=st.integers(2, 40), data=st.data())
def test_a_run_killed_anywhere_and_resumed_is_the_run_that_never_stopped(
    policy: str, history: int, steps: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = make(policy)
    expected = play(whole, 1, steps, history)
    stops = sorted(data.draw(st.sets(st.integers(1, steps - 1), min_size=1, max_size=3)))
    path = tmp_path_factory.mktemp("run") / "curriculum.json"
    log: list[Any] = []
    for first, last in itertools.pairwise([0, *stops, steps]):
        part = make(policy)
        if path.exists():
            part.load(path)
        play(part, first + 1, last, history, log)
        part.save(path)
    assert log == expected
    assert part.transitions == whole.transitions
    assert part.metrics() == whole.metrics()


@pytest.mark.parametrize("policy", POLICIES)
def test_resume_at_every_step_of_one_history_goes_through_advance_and_rollback(policy: str, tmp_path: Path) -> None:
    whole = make(policy)
    expected = play(whole, 1, 30, history=3)
    resumed: list[Any] = []
    for step in range(1, 31):
        part = make(policy)
        if step > 1:
            part.load(tmp_path / "state.json")
        play(part, step, step, 3, resumed)
        part.save(tmp_path / "state.json")
    assert resumed == expected
    assert whole.transitions, "the history must contain transitions, or nothing was proven"


@pytest.mark.parametrize("history", range(4))
def test_resume_between_a_step_and_its_validation(history: int, tmp_path: Path) -> None:
    """A trainer writes its checkpoint after the step and before it validates the new weights."""
    expected = play(make("posterior"), 1, 30, history)
    resumed: list[Any] = []
    part = make("posterior")
    for step in range(1, 31):
        resumed += observe(part, step, history)
        part.save(tmp_path / "state.json")
        part = make("posterior")
        part.load(tmp_path / "state.json")
        resumed += validate(part, step, history)
    assert resumed == expected


def test_the_made_up_histories_contain_rollbacks_too() -> None:
    kinds = {t.kind for history in range(20) for t in _transitions_of(history)}
    assert kinds == {"advance", "rollback"}


def _transitions_of(history: int) -> Any:
    curriculum = make()
    play(curriculum, 1, 40, history)
    return curriculum.transitions


def test_an_unused_draw_is_part_of_the_state(tmp_path: Path) -> None:
    first = make()
    first.draw(8)
    first.save(tmp_path / "state.json")
    second = make()
    second.load(tmp_path / "state.json")
    assert first.draw(8).prompts.tolist() == second.draw(8).prompts.tolist()


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


def test_another_data_hash_is_refused_and_named() -> None:
    state = make().state_dict()
    with pytest.raises(StateError, match=r"data\.hash: saved 'h1', now 'h2'"):
        make(index=make_index(data_hash="h2")).load_state_dict(state)


def test_another_config_is_refused_and_every_difference_named() -> None:
    state = make().state_dict()
    block = make_block(replay_floor=0.2)
    block["stages"][1]["mix"] = {"easy": 0.5, "medium": 0.5}
    block["stages"][1]["exit"] = {"all": block["stages"][1]["exit"]["any"]}
    with pytest.raises(StateError) as error:
        Curriculum.from_config(block, make_index()).load_state_dict(state)
    text = str(error.value)
    assert "stages[1].mix.easy: saved 0.4, now 0.5" in text
    assert "stages[1].exit.all" in text
    assert "replay_floor: saved 0.15, now 0.2" in text


def test_where_the_data_lies_may_change(tmp_path: Path) -> None:
    state = make(data="a/manifest.json").state_dict()
    assert make(data="b/manifest.json").load_state_dict(state) == []


def test_a_forced_resume_keeps_the_stage_by_name_and_says_what_differed() -> None:
    saved = make()
    play(saved, 1, 12, history=3)
    assert saved.stage.name == "two"
    block = make_block()
    block["stages"].insert(0, {"name": "zero", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 5}})
    resumed = Curriculum.from_config(block, make_index())
    differences = resumed.load_state_dict(saved.state_dict(), force=True)
    assert any(difference.startswith("stages") for difference in differences)
    assert resumed.stage.name == "two"
    assert resumed.step == 12
    assert resumed.draw(8).prompts.tolist() == saved.draw(8).prompts.tolist(), "same data and policy: the walk goes on"


def test_a_forced_resume_with_other_data_starts_the_walk_anew_in_the_saved_stage() -> None:
    saved = make("posterior")
    play(saved, 1, 12, history=3)
    other = PromptIndex.build({"easy": 10, "medium": 10, "hard": 10}, data_hash="h3")
    resumed = make("posterior", index=other)
    resumed.load_state_dict(saved.state_dict(), force=True)
    assert resumed.stage.name == saved.stage.name
    assert resumed.draw(8).prompts.max() < 30
    play(resumed, 13, 20, history=4)
    assert resumed.step == 20


def test_a_forced_resume_into_a_vanished_stage_is_refused() -> None:
    saved = make()
    play(saved, 1, 12, history=3)
    block = make_block()
    block["stages"][1]["name"] = "renamed"
    with pytest.raises(StateError, match="unknown stage 'two'"):
        Curriculum.from_config(block, make_index()).load_state_dict(saved.state_dict(), force=True)


def test_a_state_dict_is_a_snapshot() -> None:
    curriculum = make("posterior")
    state = curriculum.state_dict()
    frozen = repr(state)
    play(curriculum, 1, 10, history=1)
    assert repr(state) == frozen


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


def test_numpy_numbers_are_as_good_as_plain_ones(tmp_path: Path) -> None:
    curriculum = make()
    curriculum.observe(np.int64(1), np.array([0, 1]), np.ones((2, 2)), metrics={"kl": np.float32(0.5)})
    curriculum.evaluate(np.int64(1), {"easy": Rate(np.float32(0.5), np.int64(10))})
    curriculum.save(tmp_path / "state.json")
    resumed = make()
    resumed.load(tmp_path / "state.json")
    assert resumed.metrics() == curriculum.metrics()


def test_a_rate_needs_a_number_of_trials() -> None:
    with pytest.raises(InputError, match="got -1 trials"):
        Rate(0.5, -1)


@pytest.mark.parametrize("part", ["data", "config", "manager", "tracker", "pools", "policy", "order"])
def test_a_state_that_lacks_a_part_is_damaged(part: str) -> None:
    state = make("posterior").state_dict()
    del state[part]
    with pytest.raises(StateError, match="damaged"):
        make("posterior").load_state_dict(state)


def test_data_is_told_apart_by_the_order_of_its_buckets_and_by_its_values() -> None:
    block = {"policy": {"name": "uniform"}, "stages": [{"name": "a", "mix": {"x": 0.5, "y": 0.5}}]}
    state = Curriculum.from_config(block, PromptIndex.build({"x": 2, "y": 2})).state_dict()
    others = [PromptIndex.build({"y": 2, "x": 2}), PromptIndex.build({"x": 2, "y": 2}, difficulty=[0, 1, 2, 3])]
    for other in others:
        with pytest.raises(StateError, match=r"data\."):
            Curriculum.from_config(block, other).load_state_dict(state)


def test_a_checked_config_is_still_checked_against_the_data() -> None:
    config = load_config({"stages": [{"name": "a", "mix": {"easi": 0.5, "medium": 0.5}}]})
    with pytest.raises(ConfigError, match="unknown bucket 'easi'"):
        Curriculum(config, make_index())


@pytest.mark.parametrize(
    "stop",
    [None, {"metric": "val/score", "above": 0.9}, {"any": [{"metric": "val/score", "plateau": {"evals": 3}}]}],
)
def test_a_forced_resume_may_change_what_stops_the_run(stop: Any) -> None:
    saved = make(stop={"metric": "stage/steps", "at_least": 3}, rollback=None, probation=None, advance={})
    play(saved, 1, 60, history=3)
    assert saved.stage.name == "three"
    resumed = make(stop=stop, rollback=None, probation=None, advance={})
    resumed.load_state_dict(saved.state_dict(), force=True)
    log = play(resumed, 61, 63, history=3)
    assert log[0][4].stop is None, "the old stop is gone"


def test_a_forced_resume_keeps_the_place_in_the_data_when_only_admission_or_policy_changed() -> None:
    saved = make("bandit")
    play(saved, 1, 12, history=3)
    for policy, changes in (("bandit", {"admission": None}), ("mixture", {})):
        resumed = make(policy, **changes)
        resumed.load_state_dict(saved.state_dict(), force=True)
        for part in ("pools", "drawn", "step"):
            assert resumed.state_dict()[part] == saved.state_dict()[part]


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


def test_a_state_from_before_a_key_existed_is_taken_at_the_keys_default() -> None:
    saved = make(admission=None)
    state = saved.state_dict()
    del state["config"]["admission"], state["config"]["replay_floor"]
    assert make(admission=None, replay_floor=0.0).load_state_dict(state) == []
    with pytest.raises(StateError, match=r"replay_floor: saved 0\.0, now 0\.15"):
        make(admission=None).load_state_dict(state)


def test_what_is_only_reported_may_change_between_starts() -> None:
    assert make(forgetting_alarm=-0.3, checkpoint_stages=True).load_state_dict(make().state_dict()) == []


def test_loading_does_not_tie_the_curriculum_to_the_state() -> None:
    saved = make("posterior")
    play(saved, 1, 12, history=3)
    state = saved.state_dict()
    frozen = repr(state)
    resumed = make("posterior")
    resumed.load_state_dict(state)
    play(resumed, 13, 25, history=3)
    assert repr(state) == frozen


@pytest.mark.parametrize(
    ("index", "changes", "kept"),
    [
        (make_index(data_hash="h9"), {}, {"policy": False, "pools": False, "admission": False}),
        (None, {"seed": 8}, {"policy": False, "pools": False, "admission": False}),
        (None, {"policy": {"name": "posterior", "target": 0.3}}, {"policy": False, "pools": True, "admission": True}),
        (None, {"admission": {"retry_after": 9}}, {"policy": True, "pools": True, "admission": False}),
        (None, {"replay_floor": 0.2}, {"policy": True, "pools": True, "admission": True}),
    ],
)
def test_a_forced_resume_keeps_what_still_fits(index: Any, changes: dict[str, Any], kept: dict[str, bool]) -> None:
    saved = make("posterior")
    play(saved, 1, 12, history=3)
    block = make_block("posterior") | changes
    resumed = Curriculum.from_config(block, index or make_index())
    resumed.load_state_dict(saved.state_dict(), force=True)
    before, after = saved.state_dict(), resumed.state_dict()
    assert {part: repr(after[part]) == repr(before[part]) for part in kept} == kept
    assert after["manager"]["transitions"] == before["manager"]["transitions"]


def test_a_forced_resume_onto_other_stages_drops_what_was_pending_and_keeps_the_count_of_failures() -> None:
    block = make_block(admission=None)
    block["advance"] = {"check_every": 2, "validate_now": False}
    saved = Curriculum.from_config(block, make_index())
    saved.evaluate(0, dict.fromkeys(SIZES, 0.5))
    for step in range(1, 11):
        saved.observe(step, saved.draw(8).prompts, np.zeros((8, 4)))
    waiting = saved.state_dict()
    assert waiting["manager"]["pending"] is not None
    saved.evaluate(10, dict.fromkeys(SIZES, 0.0))
    assert saved.stage.name == "one", "rolled back"
    block["stages"].insert(0, {"name": "zero", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 5}})
    resumed = Curriculum.from_config(block, make_index())
    resumed.load_state_dict(saved.state_dict(), force=True)
    state = resumed.state_dict()["manager"]
    assert (state["stage"], state["failures"]) == (1, [0, 0, 1, 0])
    resumed = Curriculum.from_config(block, make_index())
    resumed.load_state_dict(waiting, force=True)
    assert resumed.stage.name == "two"
    assert resumed.state_dict()["manager"]["pending"] is None, "it was judged against other stages"


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
