"""Stages, advances, rollbacks, cooldown, probation, floors and alarms, decision by decision."""

from typing import Any

import pytest

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.curriculum.decisions import Decision
from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.curriculum.manager import Manager
from curriculum_verl.curriculum.tracker import Rate, Tracker
from curriculum_verl.errors import InputError

BUCKETS = ("easy", "medium", "hard")
STAGES = [
    {"name": "one", "mix": {"easy": 1.0}, "exit": {"metric": "skill", "above": 0.7}},
    {"name": "two", "mix": {"easy": 0.4, "medium": 0.6}, "exit": {"metric": "skill", "above": 0.8}},
    {"name": "three", "mix": {"easy": 0.2, "medium": 0.3, "hard": 0.5}},
]
ROLLBACK = {"threshold": -0.05}


class Run:
    """A manager with its tracker; `step` reports a skill, `validate` scores by bucket."""

    def __init__(self, **block: Any):
        self.config: CurriculumConfig = load_config({"stages": STAGES, **block}, BUCKETS)
        self.tracker = Tracker()
        self.manager = Manager(self.config, BUCKETS, self.tracker)
        self.now = 0

    def step(self, skill: float = 0.0) -> Decision:
        self.now += 1
        self.tracker.observe(self.now, {"skill": skill, "stage/steps": self.now - self.manager.stage_start})
        return self.manager.after_step(self.now)

    def validate(self, easy: float = 0.9, medium: float = 0.9, hard: float = 0.9) -> Decision:
        return self.manager.after_validation(self.now, {"easy": easy, "medium": medium, "hard": hard})

    @property
    def stage(self) -> str:
        return self.manager.stage.name


def kinds(decision: Decision) -> list[tuple[str, str, str]]:
    return [(t.kind, t.source, t.target) for t in decision.transitions]


def test_a_stage_ends_when_its_exit_is_met_and_the_reason_is_kept() -> None:
    run = Run()
    assert run.step(0.7) == Decision(1)
    decision = run.step(0.71)
    assert kinds(decision) == [("advance", "one", "two")]
    assert decision.transitions[0].reason == "skill above 0.7 (0.71)"
    assert run.manager.transitions == decision.transitions
    assert run.stage == "two"


def test_exits_are_looked_at_every_check_every_steps_from_the_stage_start() -> None:
    run = Run(advance={"check_every": 4})
    switched = [run.now for _ in range(12) if run.step(0.9).transitions]
    assert switched == [4, 8]


def test_a_switch_by_hand_forgets_what_was_pending_and_needs_a_stage_there() -> None:
    run = Run(advance={"validate_now": True}, rollback=ROLLBACK)
    assert run.step(0.9).validate
    decision = run.manager.switch(run.now, +2)
    assert kinds(decision) == [("advance", "one", "three")]
    assert decision.checkpoint
    assert not run.manager.awaits_validation
    for by in (1, 0, -3):
        with pytest.raises(InputError, match="in stage 'three': there is no other stage there"):
            run.manager.switch(run.now, by)
    assert kinds(run.manager.switch(run.now, -1)) == [("rollback", "three", "two")]
    assert run.manager.stage_start == run.now


def test_values_of_the_stage_before_do_not_end_the_next_one() -> None:
    stages = [
        {"name": "one", "mix": {"easy": 1.0}, "exit": {"metric": "skill", "window": 3, "above": 0.5}},
        {"name": "two", "mix": {"easy": 1.0}, "exit": {"metric": "skill", "window": 3, "above": 0.5}},
        {"name": "three", "mix": {"easy": 1.0}},
    ]
    run = Run(stages=stages)
    assert [run.now for _ in range(8) if run.step(0.9).transitions] == [3, 6]


def test_min_performance_holds_an_advance_until_validation_reaches_it() -> None:
    run = Run(advance={"min_performance": 0.6})
    assert run.step(0.9).hold == "not_validated"
    assert run.validate(easy=0.5).hold == "min_performance", "a validation on the step of a look is part of it"
    assert run.step(0.9).hold == "min_performance"
    run.step(0.0)
    run.validate(easy=0.6)
    assert kinds(run.step(0.9)) == [("advance", "one", "two")]
    assert run.manager.metrics()["hold/min_performance"] == 2


def test_validate_now_validates_first_then_advances_and_decides_on_the_new_mix() -> None:
    run = Run(advance={"validate_now": True}, rollback=ROLLBACK)
    asked = run.step(0.9)
    assert asked.validate
    assert not asked.transitions
    decision = run.validate(easy=0.8, medium=0.77)
    assert kinds(decision) == [("advance", "one", "two")]
    assert not decision.validate, "one validation gave both scores: never two for the same weights"
    kept = run.manager.transitions[-1]
    assert (kept.before, kept.after) == (pytest.approx(0.8), pytest.approx(0.4 * 0.8 + 0.6 * 0.77))


def test_validate_now_takes_the_advance_back_when_the_new_mix_scores_too_low() -> None:
    run = Run(advance={"validate_now": True}, rollback=ROLLBACK)
    run.step(0.9)
    decision = run.validate(easy=0.8, medium=0.5)
    assert kinds(decision) == [("advance", "one", "two"), ("rollback", "two", "one")]
    assert decision.transitions[1].before == pytest.approx(0.8)
    assert decision.transitions[1].after == pytest.approx(0.62)
    assert "-0.18 is below -0.05" in decision.transitions[1].reason
    assert decision.restore_step is None, "nothing was trained since the advance"
    assert run.stage == "one"


@pytest.mark.parametrize(("medium", "taken_back"), [(0.7501, False), (0.7499, True)])
def test_the_rollback_threshold_is_where_it_is_set(medium: float, taken_back: bool) -> None:
    stages = [STAGES[0], {**STAGES[1], "mix": {"medium": 1.0}}, STAGES[2]]
    run = Run(stages=stages, advance={"validate_now": True}, rollback=ROLLBACK)
    run.step(0.9)
    run.validate(easy=0.8, medium=medium)
    assert (run.stage == "one") is taken_back


def test_when_validation_covers_only_the_old_mix_the_new_one_is_asked_for_once() -> None:
    run = Run(advance={"validate_now": True}, rollback=ROLLBACK)
    run.step(0.9)
    decision = run.manager.after_validation(run.now, {"easy": 0.8})
    assert kinds(decision) == [("advance", "one", "two")]
    assert decision.validate
    assert run.step(0.0).validate, "still asked for until it comes"
    assert run.step(0.0).validate
    assert kinds(run.validate(easy=0.8, medium=0.1)) == [("rollback", "two", "one")]


def test_a_validation_that_never_covers_the_new_mix_is_reported_not_asked_for_ever() -> None:
    run = Run(advance={"validate_now": True}, rollback=ROLLBACK)
    run.step(0.9)
    run.manager.after_validation(run.now, {"easy": 0.8})
    decision = run.manager.after_validation(run.now, {"easy": 0.8})
    assert not decision.validate
    assert "no score for bucket medium" in decision.warnings[0]
    assert run.stage == "two"


def test_without_validate_now_the_next_validation_decides() -> None:
    run = Run(rollback=ROLLBACK)
    run.step(0.0)
    run.validate(easy=0.8, medium=0.8)
    run.step(0.9)
    assert run.stage == "two"
    assert run.step(0.9).hold == "unjudged", "no second advance before the first is judged"
    assert kinds(run.validate(easy=0.8, medium=0.6)) == [("rollback", "two", "one")]


def test_baseline_new_mix_compares_like_for_like() -> None:
    run = Run(rollback={"threshold": -0.05, "baseline": "new_mix"})
    run.step(0.0)
    run.validate(easy=0.9, medium=0.1)
    run.step(0.9)
    run.step(0.0)
    assert not run.validate(easy=0.9, medium=0.1).transitions, "a harder mix alone is no drop"
    assert run.stage == "two"
    run = Run(rollback={"threshold": -0.05, "baseline": "new_mix"})
    run.step(0.0)
    run.validate(easy=0.9, medium=0.4)
    run.step(0.9)
    run.step(0.0)
    assert kinds(run.validate(easy=0.7, medium=0.4)) == [("rollback", "two", "one")]


def test_weights_are_restored_from_the_step_at_which_the_abandoned_stage_began() -> None:
    run = Run(rollback={"threshold": -0.05, "restore": "weights"})
    run.step(0.0)
    run.validate()
    run.step(0.9)
    advanced_at = run.now
    for _ in range(3):
        run.step(0.0)
    assert run.validate(medium=0.2).restore_step == advanced_at


def test_after_a_rollback_comes_a_cooldown_and_a_doubled_interval() -> None:
    run = Run(advance={"check_every": 2, "validate_now": True}, rollback={**ROLLBACK, "cooldown": 5})
    intervals, attempts, holds = [], [], []
    for _ in range(40):
        decision = run.step(0.9)
        if decision.hold:
            holds.append((run.now, decision.hold))
        if decision.validate:
            attempts.append(run.now)
            run.validate(medium=0.0)
            intervals.append(run.manager.interval)
    assert intervals == [4, 8, 16, 32]
    assert attempts == [2, 10, 18, 34]
    assert holds == [(6, "cooldown")]
    assert run.manager.metrics()["rollbacks"] == 4


def test_another_stage_starts_with_the_plain_interval() -> None:
    run = Run(advance={"check_every": 2, "validate_now": True}, rollback=ROLLBACK)
    run.step(0.0)
    run.step(0.9)
    run.validate(medium=0.0)
    assert run.manager.interval == 4
    for _ in range(4):
        run.step(0.9)
    run.validate()
    assert run.stage == "two"
    assert run.manager.interval == 2


def probation_run(action: str) -> Run:
    run = Run(
        stages=[STAGES[0], {**STAGES[1], "exit": {"metric": "skill", "above": 0.95}}, STAGES[2]],
        rollback={"threshold": -0.5},
        probation={"evals": 2, "threshold": -0.1, "action": action, "replay_step": 0.2},
        replay_floor=0.1,
    )
    run.step(0.0)
    run.validate(easy=0.8, medium=0.6)
    run.step(0.9)
    assert run.stage == "two"
    return run


def test_probation_rolls_back_when_a_mastered_bucket_falls() -> None:
    run = probation_run("rollback")
    run.step(0.0)
    decision = run.validate(easy=0.69, medium=0.9)
    assert kinds(decision) == [("rollback", "two", "one")]
    assert "bucket easy 0.8 -> 0.69" in decision.transitions[0].reason


def test_probation_raises_the_replay_share_of_a_mastered_bucket_that_falls() -> None:
    run = probation_run("replay")
    assert run.manager.floors() == {"easy": pytest.approx(0.1)}
    run.step(0.0)
    decision = run.validate(easy=0.69, medium=0.9)
    assert "its replay share rises by 0.2" in decision.warnings[0]
    assert run.stage == "two"
    assert run.manager.floors() == {"easy": pytest.approx(0.6)}, "0.2 above the 0.4 that the mix gives it"


def test_probation_ignores_a_small_fall_and_ends() -> None:
    run = probation_run("rollback")
    for easy in (0.71, 0.71):
        run.step(0.0)
        assert not run.validate(easy=easy, medium=0.6).transitions
    run.step(0.0)
    assert not run.validate(easy=0.0, medium=0.6).transitions, "after its evaluations no bucket is watched"


def test_an_advance_waits_for_the_end_of_probation() -> None:
    run = probation_run("rollback")
    assert run.step(0.99).hold == "unjudged"
    run.validate(easy=0.8)
    assert run.step(0.99).hold == "probation"
    assert kinds(run.validate(easy=0.8)) == [("advance", "two", "three")]


def test_validating_one_step_twice_is_one_evaluation_of_probation() -> None:
    run = probation_run("rollback")
    run.step(0.0)
    for _ in range(5):
        run.validate(easy=0.8)
    run.step(0.0)
    assert kinds(run.validate(easy=0.1)) == [("rollback", "two", "one")]


def test_the_replay_floor_keeps_every_earlier_bucket() -> None:
    run = Run(replay_floor=0.2)
    assert run.manager.floors() == {}
    run.step(0.9)
    assert run.manager.floors() == {"easy": pytest.approx(0.2)}
    run.step(0.9)
    assert run.manager.floors() == {"easy": pytest.approx(0.1), "medium": pytest.approx(0.1)}


def test_forgetting_raises_an_alarm_once_per_fall() -> None:
    run = Run(forgetting_alarm=-0.1)
    alarms = []
    for easy in (0.8, 0.75, 0.3, 0.4, 0.95, 0.95, 0.0):
        run.step(0.0)
        alarms.append(run.validate(easy=easy, medium=easy).alarms)
    assert alarms == [(), (), ("easy",), (), (), (), ("easy",)], "medium was not taught yet"
    assert run.manager.metrics()["forgetting/easy"] < -0.1


def test_the_run_stops_when_the_last_stage_meets_its_condition() -> None:
    run = Run(
        stages=[{"name": "only", "mix": {"easy": 1.0}}],
        stop={"metric": "val/score", "plateau": {"evals": 3, "slope_below": 0.001}},
    )
    stops = []
    for easy in (0.1, 0.2, 0.3, 0.3, 0.3, 0.3):
        run.step(0.0)
        stops.append(run.validate(easy=easy).stop)
    assert stops[:4] == [None] * 4
    assert stops[4] == stops[5] == "val/score slope below 0.001 (0)"


def test_a_stop_waits_for_the_last_stage() -> None:
    run = Run(stop={"metric": "stage/steps", "at_least": 1})
    assert run.step(0.0).stop is None
    run.step(0.9)
    run.step(0.9)
    assert run.stage == "three"
    assert run.step(0.0).stop is not None


def test_a_metric_that_never_appears_is_reported_after_the_first_evaluation_with_the_nearest_name() -> None:
    stages = [{**STAGES[0], "exit": {"metric": "skil", "above": 0.7}}, STAGES[2]]
    run = Run(stages=stages)
    warning = run.step(0.9).warnings[0]
    assert "stage 'one'" in warning
    assert "unknown metric 'skil'" in warning
    assert "did you mean 'skill'?" in warning
    assert run.step(0.9).warnings == (), "once is enough"


def test_a_validation_metric_is_not_missed_before_anything_was_validated() -> None:
    stages = [{**STAGES[0], "exit": {"metric": "val/esy/score", "above": 0.7}}, STAGES[2]]
    run = Run(stages=stages)
    assert run.step(0.9).warnings == ()
    assert "did you mean 'val/easy/score'?" in run.validate().warnings[0]


def test_a_confidence_bound_on_a_metric_without_trials_is_reported() -> None:
    stages = [{**STAGES[0], "exit": {"metric": "skill", "confident_above": 0.7}}, STAGES[2]]
    assert "has no number of trials" in Run(stages=stages).step(0.9).warnings[0]


def test_an_unknown_bucket_in_a_validation_is_reported_and_left_out() -> None:
    run = Run()
    run.step(0.0)
    decision = run.manager.after_validation(1, {"easy": 0.5, "hrad": 0.5})
    assert "unknown bucket 'hrad'" in decision.warnings[0]
    assert "val/hrad/score" not in run.tracker.names()


def test_a_nan_validation_score_counts_as_missing() -> None:
    run = Run(advance={"min_performance": 0.1})
    run.step(0.0)
    run.validate(easy=float("nan"))
    assert run.step(0.9).hold == "not_validated"


def test_the_score_of_a_mix_carries_the_trials_that_it_is_worth() -> None:
    stages = [
        {"name": "a", "mix": {"easy": 0.5, "medium": 0.5}, "exit": {"metric": "val/score", "above": 0.9}},
        STAGES[2],
    ]
    run = Run(stages=stages)
    run.step(0.0)
    run.manager.after_validation(1, {"easy": Rate(0.5, 100), "medium": Rate(0.7, 300)})
    reading = run.tracker.window("val/score", 1)
    assert reading is not None
    assert reading.mean == pytest.approx(0.6)
    assert reading.trials == 300  # 1 / (0.25 / 100 + 0.25 / 300)


def test_a_validation_of_an_older_step_is_ignored() -> None:
    run = Run()
    run.step(0.0)
    run.step(0.0)
    run.validate(easy=0.5)
    assert run.manager.after_validation(1, {"easy": 0.0}) == Decision(1)
    assert run.tracker.last("val/easy/score") == 0.5


def test_what_waits_for_a_validation_that_never_comes_asks_for_it_and_says_so() -> None:
    run = Run(rollback=ROLLBACK)
    decisions = [run.step(0.9) for _ in range(60)]
    assert {decision.hold for decision in decisions[:49]} == {"not_validated"}
    asking = next(decision for decision in decisions if decision.validate)
    assert asking.step == 50
    assert "waits for a validation, and none has come since step 0" in asking.warnings[0]
    assert kinds(run.validate()) == [("advance", "one", "two")]


def test_probation_asks_for_its_validations_when_none_comes() -> None:
    run = Run(advance={"validate_now": True}, rollback={"threshold": -0.9}, probation={"evals": 2})
    stages = []
    for _ in range(300):
        if run.step(0.9).validate:
            run.validate()
        stages.append(run.stage)
    assert stages[-1] == "three", "no deadlock, though nobody validates unless asked"


def test_an_exit_on_a_validation_that_never_comes_is_not_silent() -> None:
    stages = [{**STAGES[0], "exit": {"metric": "val/score", "above": 0.5}}, STAGES[2]]
    run = Run(stages=stages)
    decisions = [run.step(0.0) for _ in range(50)]
    assert not any(decision.warnings for decision in decisions[:49])
    assert decisions[49].validate
    assert "val/score, which stage 'one' tests, waits for a validation" in decisions[49].warnings[0]


def test_a_metric_known_from_an_earlier_stage_that_cannot_come_in_this_one_is_reported() -> None:
    stages = [STAGES[0], {**STAGES[1], "exit": {"metric": "old", "above": 0.5}}, STAGES[2]]
    run = Run(stages=stages)
    run.tracker.observe(1, {"old": 1.0})
    run.step(0.9)
    warnings = [warning for _ in range(60) for warning in run.step(0.0).warnings]
    assert warnings == [
        "stage 'two' tests a metric that cannot end it: old had no value since the stage began at step 1"
    ]


def test_with_a_rollback_nothing_advances_unjudged() -> None:
    run = Run(advance={"validate_now": True}, rollback=ROLLBACK)
    run.step(0.9)
    nan = float("nan")
    decision = run.validate(easy=nan, medium=nan, hard=nan)
    assert decision.hold == "not_validated"
    assert "validation has no score for bucket easy" in decision.warnings[0]
    assert run.stage == "one"


def test_several_reports_for_one_step_are_one_validation() -> None:
    run = Run(advance={"validate_now": True}, rollback=ROLLBACK)
    run.step(0.9)
    first = run.manager.after_validation(1, {"medium": 0.1})
    assert not first.transitions
    second = run.manager.after_validation(1, {"easy": 0.9})
    assert kinds(second) == [("advance", "one", "two"), ("rollback", "two", "one")]


def test_a_validation_that_was_too_low_is_not_asked_for_again_at_every_step() -> None:
    run = Run(advance={"validate_now": True, "min_performance": 0.9})
    asked = []
    for _ in range(100):
        decision = run.step(0.9)
        if decision.validate:
            asked.append(run.now)
            assert run.validate(easy=0.5).hold == "min_performance"
        else:
            assert decision.hold == "validated_lately"
    assert asked == list(range(1, 101, 10))


def test_a_late_validation_does_not_act_on_an_exit_that_is_met_no_longer() -> None:
    run = Run(advance={"validate_now": True})
    assert run.step(0.9).validate
    assert not run.step(0.1).validate, "nothing waits for it any more"
    assert not run.validate().transitions
    assert run.stage == "one"


def test_replay_raises_the_share_that_the_mix_gives() -> None:
    run = probation_run("replay")
    for _ in range(2):
        run.step(0.0)
        run.validate(easy=0.3, medium=0.9)
    assert run.manager.floors() == {"easy": pytest.approx(0.8)}


def test_stop_waits_for_the_trial_and_a_rollback_takes_it_back() -> None:
    stages = [STAGES[0], {"name": "two", "mix": {"medium": 1.0}}]
    run = Run(stages=stages, rollback=ROLLBACK, stop={"metric": "stage/steps", "at_least": 2})
    run.step(0.0)
    run.validate()
    run.step(0.9)
    assert [run.step(0.0).hold for _ in range(3)] == [None, "unjudged", "unjudged"]
    assert kinds(run.validate(medium=0.1)) == [("rollback", "two", "one")]
    assert run.step(0.0).stop is None


def test_a_rollback_on_the_same_weights_says_so() -> None:
    run = Run(advance={"validate_now": True}, rollback=ROLLBACK)
    run.step(0.9)
    assert "with the same weights" in run.validate(easy=0.8, medium=0.5).transitions[1].reason


def test_the_interval_stays_a_number_after_any_number_of_rollbacks() -> None:
    run = Run(advance={"check_every": 50, "validate_now": True}, rollback={**ROLLBACK, "interval_factor": 100.0})
    run.manager._now.failures = [0, 5000, 0]
    assert run.manager.interval == 10**9


def test_probation_that_cannot_see_a_bucket_says_so() -> None:
    run = probation_run("rollback")
    run.step(0.0)
    decision = run.manager.after_validation(run.now, {"easy": 0.8, "medium": 0.8})
    assert not decision.warnings
    run.step(0.0)
    decision = run.manager.after_validation(run.now, {"medium": 0.8})
    assert "probation cannot watch bucket easy" in decision.warnings[0]


def test_without_a_rollback_block_a_falling_score_takes_nothing_back() -> None:
    run = Run()
    run.step(0.0)
    run.validate(easy=0.9, medium=0.9)
    run.step(0.9)
    run.step(0.0)
    assert not run.validate(easy=0.1, medium=0.1).transitions
    assert run.stage == "two"


def test_a_validation_that_has_just_come_is_not_asked_for_again() -> None:
    run = Run(advance={"validate_now": True}, rollback={"threshold": -0.9})
    run.step(0.0)
    run.tracker.observe(2, {"skill": 0.9, "stage/steps": 2})
    run.now = 2
    decision = run.validate()
    assert kinds(decision) == [("advance", "one", "two")]
    assert not decision.validate
    assert run.manager.after_step(2) == Decision(2)


def test_validations_between_two_looks_are_evaluations_too() -> None:
    stages = [{**STAGES[0], "exit": {"metric": "val/easy/score", "patience": 3}}, STAGES[2]]
    run = Run(stages=stages, advance={"check_every": 10})
    for _ in range(10):
        run.step(0.0)
        if run.now % 2 == 0:
            run.validate(easy=0.5)
    assert run.stage == "three", "five validations without improvement, though there was only one look"


def test_a_drop_of_exactly_the_threshold_is_kept_and_a_cooldown_ends_on_its_step() -> None:
    stages = [STAGES[0], {**STAGES[1], "mix": {"medium": 1.0}}, STAGES[2]]
    run = Run(
        stages=stages,
        advance={"validate_now": True},
        rollback={"threshold": -0.25, "cooldown": 3, "interval_factor": 1},
    )
    run.step(0.9)
    run.validate(easy=0.75, medium=0.49)
    assert run.stage == "one"
    holds = [run.step(0.9).hold for _ in range(3)]
    assert holds == ["cooldown", "cooldown", None]
    run.validate(easy=0.75, medium=0.5)
    assert run.stage == "two"


def test_weights_need_no_restoring_when_nothing_was_trained() -> None:
    run = Run(advance={"validate_now": True}, rollback={"threshold": -0.05, "restore": "weights"})
    run.step(0.9)
    decision = run.validate(easy=0.8, medium=0.1)
    assert kinds(decision)[1] == ("rollback", "two", "one")
    assert decision.restore_step is None


def test_a_small_factor_goes_on_growing() -> None:
    run = Run(rollback={**ROLLBACK, "interval_factor": 1.1})
    run.manager._now.failures = [0, 100, 0]
    assert run.manager.interval == 13781


def test_an_interval_is_rounded_up() -> None:
    run = Run(advance={"check_every": 3, "validate_now": True}, rollback={**ROLLBACK, "interval_factor": 1.5})
    for _ in range(3):
        run.step(0.9)
    run.validate(medium=0.0)
    assert run.manager.interval == 5


def test_the_next_stage_starts_with_plain_floors_again() -> None:
    run = probation_run("replay")
    for easy in (0.3, 0.8):
        run.step(0.0)
        run.validate(easy=easy, medium=0.9)
    assert run.manager.floors() == {"easy": pytest.approx(0.6)}
    run.step(0.99)
    assert run.stage == "three"
    assert run.manager.floors() == {"easy": pytest.approx(0.05), "medium": pytest.approx(0.05)}


def test_buckets_without_a_share_are_neither_taught_nor_mastered() -> None:
    stages = [{**STAGES[0], "mix": {"easy": 1.0, "hard": 0.0}}, *STAGES[1:]]
    run = Run(
        stages=stages,
        replay_floor=0.2,
        rollback={"threshold": -0.5},
        probation={"evals": 1, "action": "rollback", "threshold": -0.1},
    )
    run.step(0.0)
    run.validate(easy=0.8, medium=0.6, hard=0.8)
    run.step(0.9)
    assert run.manager.floors() == {"easy": pytest.approx(0.2)}
    run.step(0.0)
    assert not run.validate(easy=0.8, medium=0.9, hard=0.0).transitions


def test_replay_never_takes_the_whole_batch() -> None:
    run = probation_run("replay")
    run.manager._now.replay = {"easy": 5.0}
    assert sum(run.manager.floors().values()) == pytest.approx(0.9)
