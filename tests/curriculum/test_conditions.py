import math
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curriculum_verl.curriculum.conditions import build_condition
from curriculum_verl.curriculum.config import AllOf, AnyOf, Patience, Plateau
from curriculum_verl.curriculum.config import MetricCondition as Check
from curriculum_verl.curriculum.formula import parse_formula
from curriculum_verl.curriculum.rules import wilson_lower
from curriculum_verl.curriculum.tracker import Rate, Tracker

METRICS = ("a", "b", "c")
# Multiples of 1/8 and 2^-5 thresholds keep sums exact, so that the reference need not share the order of additions.
VALUES = st.integers(-8, 16).map(lambda number: number / 8)
THRESHOLDS = st.integers(-8, 16).map(lambda number: number / 8 + 1 / 32)
TESTS = st.one_of(
    st.builds(Check, st.sampled_from(METRICS), st.integers(1, 4), above=VALUES),
    st.builds(Check, st.sampled_from(METRICS), st.integers(1, 4), below=VALUES),
    st.builds(Check, st.sampled_from(METRICS), st.integers(1, 4), at_least=VALUES),
    st.builds(Check, st.sampled_from(METRICS), st.integers(1, 4), confident_above=THRESHOLDS),
    st.builds(
        Check,
        st.sampled_from(METRICS),
        st.integers(1, 3),
        plateau=st.builds(Plateau, st.integers(2, 5), THRESHOLDS, st.integers(1, 3)),
    ),
    st.builds(
        Check,
        st.sampled_from(METRICS),
        st.just(1) | st.just(2),
        patience=st.builds(Patience, st.integers(1, 4), st.sampled_from([0.0, 0.25]), st.sampled_from(["max", "min"])),
    ),
)
GROUPS = st.recursive(
    TESTS,
    lambda inner: st.builds(
        lambda kind, members: kind(tuple(members)),
        st.sampled_from([AnyOf, AllOf]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)
RATES = st.builds(Rate, st.integers(0, 8).map(lambda number: number / 8), st.integers(0, 64))
STEPS = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(METRICS), VALUES | RATES, max_size=3), st.booleans()), max_size=25
)


def readings(test, history, evaluations, after):
    """Every new full window at an evaluation, oldest first: (mean, rate, trials), from the raw history alone."""
    found, seen = [], -1
    for now in evaluations:
        values = [(s, m[test.metric]) for s, m in history if after < s <= now and test.metric in m]
        window = values[-test.window :]
        if len(window) == test.window and window[-1][0] > seen:
            seen = window[-1][0]
            pairs = [(v.value, v.trials) if isinstance(v, Rate) else (v, 0) for _, v in window]
            trials = sum(t for _, t in pairs)
            rate = sum(v * t for v, t in pairs) / trials if trials else None
            found.append((sum(v for v, _ in pairs) / test.window, rate, trials))
    return found


def slope(values):
    n = len(values)
    x, y = sum(range(n)) / n, sum(values) / n
    return sum((i - x) * (v - y) for i, v in enumerate(values)) / sum((i - x) ** 2 for i in range(n))


def wilson_by_bisection(rate, trials, z):
    """The lowest rate that a z-test does not reject: |rate - p| <= z sqrt(p (1 - p) / trials)."""
    low, high = 0.0, rate
    for _ in range(80):
        middle = (low + high) / 2
        rejected = rate - middle > z * math.sqrt(middle * (1 - middle) / trials)
        low, high = (middle, high) if rejected else (low, middle)
    return high


def holds(config, history, evaluations, after):
    """The conditions' meaning, recomputed from scratch."""
    if isinstance(config, AnyOf | AllOf):
        join = any if isinstance(config, AnyOf) else all
        return join([holds(member, history, evaluations, after) for member in config.members])
    found = readings(config, history, evaluations, after)
    if not found:
        return False
    mean, rate, trials = found[-1]
    means = [m for m, _, _ in found]
    if config.above is not None:
        return mean > config.above
    if config.below is not None:
        return mean < config.below
    if config.at_least is not None:
        return mean >= config.at_least
    if config.confident_above is not None:
        z = NormalDist().inv_cdf(config.confidence)
        return trials > 0 and wilson_by_bisection(rate, trials, z) > config.confident_above
    if config.plateau is not None:
        rule = config.plateau
        ends = range(rule.evals, len(means) + 1)
        flat = [slope(means[end - rule.evals : end]) < rule.slope_below for end in ends]
        return len(flat) >= rule.patience and all(flat[-rule.patience :])
    rule = config.patience
    sign = 1 if rule.mode == "max" else -1
    best, since = sign * means[0], 0
    for value in means[1:]:
        since += 1
        if sign * value > best + rule.min_delta:
            best, since = sign * value, 0
    return since >= rule.evals


@settings(max_examples=400)
@given(GROUPS, STEPS, st.integers(-1, 6))
def test_conditions_against_a_slow_reference(config, steps, after):
    tracker, condition = Tracker(keep=4), build_condition(config)
    history, evaluations = [], []
    for step, (metrics, evaluate) in enumerate(steps):
        tracker.observe(step, metrics)
        history.append((step, metrics))
        if evaluate and step > after:
            condition.observe(tracker, after)
            evaluations.append(step)
        assert condition.met == holds(config, history, evaluations, after)


@settings(max_examples=150)
@given(GROUPS, STEPS, st.data())
def test_state_round_trip_at_every_step(through_json, config, steps, data):
    tracker, condition = Tracker(keep=4), build_condition(config)
    for step, (metrics, evaluate) in enumerate(steps):
        tracker.observe(step, metrics)
        if evaluate:
            condition.observe(tracker, -1)
        if data.draw(st.booleans()):
            saved, before = through_json(condition.state_dict()), condition
            condition = build_condition(config)
            condition.load_state_dict(saved)
            assert condition.statuses() == before.statuses()
            assert condition.met == before.met
    assert through_json(condition.state_dict()) == condition.state_dict()


@given(st.floats(0, 1), st.integers(1, 10**6), st.floats(0.5, 0.999))
def test_wilson_against_bisection(rate, trials, confidence):
    z = NormalDist().inv_cdf(confidence)
    assert wilson_lower(rate, trials, z) == pytest.approx(wilson_by_bisection(rate, trials, z), abs=1e-6)


@pytest.mark.parametrize(
    ("rate", "trials", "z", "lower"), [(0.5, 100, 1.96, 0.403832), (1.0, 10, 1.96, 0.722467), (0.0, 10, 1.96, 0.0)]
)
def test_wilson_by_the_tables(rate, trials, z, lower):
    assert wilson_lower(rate, trials, z) == pytest.approx(lower, abs=1e-5)


def test_more_trials_make_more_confident():
    condition = build_condition(Check("rate", confident_above=0.7))
    tracker = Tracker()
    tracker.observe(1, {"rate": Rate(0.75, 20)})
    condition.observe(tracker, 0)
    assert not condition.met
    tracker.observe(2, {"rate": Rate(0.75, 2000)})
    condition.observe(tracker, 0)
    assert condition.met


def run(config, values, metric="m"):
    """Whether the condition is met after each of the values."""
    tracker, condition, met = Tracker(), build_condition(config), []
    for step, value in enumerate(values, start=1):
        tracker.observe(step, {metric: value})
        condition.observe(tracker, 0)
        met.append(condition.met)
    return met


def test_thresholds_are_strict_but_for_at_least():
    assert run(Check("m", above=0.5), [0.5, 0.6]) == [False, True]
    assert run(Check("m", below=0.5), [0.5, 0.4]) == [False, True]
    assert run(Check("m", at_least=0.5), [0.4, 0.5]) == [False, True]


def test_a_window_is_averaged_and_must_be_full():
    assert run(Check("m", window=3, above=0.5), [1.0, 1.0, 1.0, 0.0, 0.0]) == [False, False, True, True, False]


def test_plateau_waits_for_its_evaluations_and_its_patience():
    config = Check("m", plateau=Plateau(evals=3, slope_below=0.01, patience=2))
    assert run(config, [0.0, 0.5, 1.0, 1.0, 1.0, 1.0]) == [False, False, False, False, False, True]
    assert run(config, [1.0] * 4) == [False, False, False, True]
    twice = Check("m", plateau=Plateau(evals=2, slope_below=0.01, patience=2))
    assert run(twice, [1.0, 1.0, 2.0, 2.0, 2.0]) == [False, False, False, False, True]


@pytest.mark.parametrize("config", [Check("m", plateau=Plateau(2, 0.01, 3)), Check("m", patience=Patience(4))])
def test_what_was_counted_survives_a_resume(through_json, config):
    tracker, condition, met = Tracker(), build_condition(config), []
    for step in range(1, 6):
        tracker.observe(step, {"m": 1.0})
        saved, condition = through_json(condition.state_dict()), build_condition(config)
        condition.load_state_dict(saved)
        condition.observe(tracker, 0)
        met.append(condition.met)
    assert met == run(config, [1.0] * 5)
    assert met[-1]


def test_patience_counts_evaluations_after_the_best():
    assert run(Check("m", patience=Patience(2)), [0.1, 0.5, 0.4, 0.5]) == [False, False, False, True]
    assert run(Check("m", patience=Patience(2)), [0.1, 0.5, 0.4, 0.6]) == [False] * 4
    assert run(Check("m", patience=Patience(2, min_delta=0.2)), [0.1, 0.2, 0.3]) == [False, False, True]
    assert run(Check("m", patience=Patience(1, mode="min")), [0.5, 0.4, 0.4]) == [False, False, True]


def test_only_new_values_of_the_stage_count():
    tracker, condition = Tracker(), build_condition(Check("m", window=2, above=0.5))
    for step in (1, 2, 3):
        tracker.observe(step, {"m": 1.0})
    condition.observe(tracker, after=2)
    assert not condition.met
    tracker.observe(4, {"m": 1.0})
    condition.observe(tracker, after=2)
    assert condition.met


def test_looking_again_without_a_new_value_is_no_evaluation():
    tracker, condition = Tracker(), build_condition(Check("m", patience=Patience(2)))
    tracker.observe(1, {"m": 1.0})
    for _ in range(10):
        condition.observe(tracker, 0)
    assert not condition.met


def test_statuses_tell_how_far_each_test_is():
    config = AllOf((Check("a", window=5, above=0.7), AnyOf((Check("b", at_least=3), Check("b", patience=Patience(4))))))
    tracker, condition = Tracker(), build_condition(config)
    tracker.observe(1, {"b": 3})
    condition.observe(tracker, 0)
    assert [str(status) for status in condition.statuses()] == [
        "a over 5 above 0.7 (no value yet)",
        "b at_least 3 (3)",
        "b evaluations without improvement, at least 4 (0)",
    ]
    assert [status.met for status in condition.statuses()] == [False, True, False]
    assert not condition.met


def test_a_metric_that_cannot_be_tested_is_a_problem():
    names = ("missing", "old", "plain", "much", "rate")
    config = AnyOf(tuple(Check(name, confident_above=0.5) for name in names))
    tracker = Tracker()
    tracker.observe(3, {"old": Rate(0.5, 10)})
    tracker.observe(4, {"plain": 0.5, "much": Rate(5.0, 10), "rate": Rate(0.5, 10)})
    problems = dict(build_condition(config).problems(tracker, after=3))
    assert problems.keys() == {"missing", "old", "plain", "much"}
    assert problems["missing"] is None
    assert problems["old"] is None
    assert "has no number of trials" in problems["plain"]
    assert "is 5, which is no rate" in problems["much"]


def test_what_is_no_rate_is_never_confidently_above():
    tracker, condition = Tracker(), build_condition(Check("much", confident_above=0.5))
    tracker.observe(1, {"much": Rate(5.0, 100)})
    condition.observe(tracker, 0)
    assert not condition.met


def test_only_what_made_a_condition_met_is_a_reason():
    config = AnyOf(
        (AllOf((Check("rate", above=0.1), Check("rate", above=0.9))), Check("steps", at_least=10), Check("x", below=0))
    )
    tracker, condition = Tracker(), build_condition(config)
    tracker.observe(1, {"rate": 0.8, "steps": 10})
    assert condition.reasons() == []
    condition.observe(tracker, 0)
    assert [str(reason) for reason in condition.reasons()] == ["steps at_least 10 (10)"]


@pytest.mark.parametrize(
    "config",
    [
        Check("gap", 1, above=0.25),
        Check("gap", 2, above=0.25),
        Check("gap", 1, plateau=Plateau(2, 0.01, 2)),
        Check("gap", 1, patience=Patience(2, 0.0, "max")),
    ],
)
def test_a_derived_value_that_a_validation_replaces_counts_once_as_it_is_at_last(config, through_json):
    tracker = Tracker(derived={"gap": parse_formula("train/score - val/score")})
    test, known = build_condition(config), build_condition(config)
    for step, (train, validated) in enumerate([(0.5, 0.5), (0.9, 0.25), (0.4, 0.5), (1.0, 0.0), (1.0, 0.5)], start=1):
        tracker.observe(step, {"train/score": train})
        test.observe(tracker, 0)
        saved, test = test.state_dict(), build_condition(config)
        test.load_state_dict(through_json(saved))
        tracker.observe(step, {"val/score": validated})
        test.observe(tracker, 0)
        test.observe(tracker, 0)
        known.observe(tracker, 0)
        assert test.statuses() == known.statuses()
    state = through_json(test.state_dict())
    del state["last"], state["before"]
    older = build_condition(config)
    older.load_state_dict(state)
    older.observe(tracker, 0)
    assert older.statuses() == known.statuses(), "a state of before knows no more than the step"
