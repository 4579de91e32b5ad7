"""Exact resume, at every moment of random histories; what a state refuses, and what force takes over."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_runs import POLICIES, SIZES, make, make_block, make_index, observe, play, validate

from curriculum_verl.curriculum import Curriculum, PromptIndex, Rate
from curriculum_verl.curriculum.policies.posterior import Posterior
from curriculum_verl.errors import StateError


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=6)
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


def test_another_data_hash_is_refused_and_named() -> None:
    state = make().state_dict()
    with pytest.raises(StateError, match=r"data\.hash: saved 'h1', now 'h2'"):
        make(index=make_index(data_hash="h2")).load_state_dict(state)


def test_other_files_of_the_same_prompts_are_refused_and_a_state_that_knows_no_files_is_not() -> None:
    first, other = make(index=make_index(files_hash="f1")), make(index=make_index(files_hash="f2"))
    first.draw(8)
    state = first.state_dict()
    with pytest.raises(StateError, match=r"data\.files: saved 'f1', now 'f2'"):
        other.load_state_dict(state)
    assert other.load_state_dict(state, force=True) == ["data.files: saved 'f1', now 'f2'"]
    assert other.draw(8).prompts.tolist() == first.draw(8).prompts.tolist(), "they lie where they did"
    del state["data"]["files"]
    assert other.load_state_dict(state) == []


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


def test_a_forced_resume_drops_what_is_replayed_of_buckets_that_no_stage_before_teaches() -> None:
    block = make_block("mixture", admission=None, replay_floor=0.0)
    saved = Curriculum.from_config(block, make_index())
    for step in range(1, 11):
        saved.observe(step, saved.draw(8).prompts, np.zeros((8, 4)))
        saved.evaluate(step, dict.fromkeys(SIZES, 0.5))
    assert saved.stage.name == "two"
    saved.evaluate(11, {"easy": 0.2, "medium": 0.5, "hard": 0.5})
    state = saved.state_dict()
    assert state["manager"]["replay"] == {"easy": 0.1}
    without = block | {"stages": block["stages"][1:]}
    resumed = Curriculum.from_config(without, make_index())
    resumed.load_state_dict(state, force=True)
    assert (resumed.stage.name, resumed.state_dict()["manager"]["replay"]) == ("two", {})
    other = block | {"stages": [block["stages"][0] | {"mix": {"hard": 1.0}}, *block["stages"][1:]]}
    resumed = Curriculum.from_config(other, make_index())
    resumed.load_state_dict(state, force=True)
    assert resumed.state_dict()["manager"]["replay"] == {}
    changed = block | {"stages": [*block["stages"][:2], block["stages"][2] | {"mix": {"hard": 1.0}}]}
    resumed = Curriculum.from_config(changed, make_index())
    resumed.load_state_dict(state, force=True)
    assert resumed.state_dict()["manager"]["replay"] == {"easy": 0.1}, "still taught before"


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


def test_numpy_numbers_are_as_good_as_plain_ones(tmp_path: Path) -> None:
    curriculum = make()
    curriculum.observe(np.int64(1), np.array([0, 1]), np.ones((2, 2)), metrics={"kl": np.float32(0.5)})
    curriculum.evaluate(np.int64(1), {"easy": Rate(np.float32(0.5), np.int64(10))})
    curriculum.save(tmp_path / "state.json")
    resumed = make()
    resumed.load(tmp_path / "state.json")
    assert resumed.metrics() == curriculum.metrics()


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


def test_a_state_from_before_a_key_existed_is_taken_at_the_keys_default() -> None:
    saved = make(admission=None)
    state = saved.state_dict()
    del state["config"]["admission"], state["config"]["replay_floor"]
    assert make(admission=None, replay_floor=0.0).load_state_dict(state) == []
    with pytest.raises(StateError, match=r"replay_floor: saved 0\.0, now 0\.15"):
        make(admission=None).load_state_dict(state)


def _with(policy: dict[str, Any]) -> Curriculum:
    return Curriculum.from_config(make_block() | {"policy": policy}, make_index())


def test_a_policys_default_may_be_written_out_and_must_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    state = make("posterior").state_dict()
    written = _with({"name": "posterior", "half_life": 200, "target": 0.5})
    assert written.load_state_dict(state) == []
    assert make("posterior").load_state_dict(written.state_dict()) == []
    other = _with({"name": "posterior", "half_life": 100})
    with pytest.raises(StateError, match=r"policy\.parameters\.half_life: saved 200\.0, now 100\.0"):
        other.load_state_dict(state)
    monkeypatch.setitem(Posterior.__init__.__kwdefaults__, "half_life", 50.0)
    with pytest.raises(StateError, match=r"policy\.parameters\.half_life: saved 200\.0, now 50\.0"):
        make("posterior").load_state_dict(state)


def test_a_state_from_before_a_policys_parameter_existed_is_taken_at_its_default() -> None:
    state = make("posterior").state_dict()
    state["config"]["policy"]["parameters"] = {}
    assert make("posterior").load_state_dict(state) == []
    other = _with({"name": "posterior", "half_life": 100})
    with pytest.raises(StateError, match=r"policy\.parameters\.half_life: saved 200\.0, now 100\.0"):
        other.load_state_dict(state)


def test_a_default_that_json_cannot_hold_is_no_matter(user_module: Any, tmp_path: Path) -> None:
    source = """
from curriculum_verl.curriculum.policies.mixture import Mixture

class Own(Mixture):
    def __init__(self, pools, cap=float("inf"), key=len, size=3):
        super().__init__(pools)
"""
    policy = {"name": f"{user_module('with_defaults', source)}:Own"}
    _with(policy).save(tmp_path / "state.json")
    assert _with(policy | {"size": 3}).load(tmp_path / "state.json") == []


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
