import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.bucketing.cutting import Axis, cut, most_frequent, places_of
from curriculum_verl.bucketing.facts import FACTS, Measure
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.difficulty import METRICS

SCORES = st.lists(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=4), min_size=1, max_size=40)


def facts_of(scores, settings):
    rows = np.zeros(len(scores), dtype=FACTS)
    measure = Measure(settings)
    for row, own in zip(rows, scores, strict=True):
        row["count"], row["passes"], row["mean"], row["value"], row["tie"] = measure(own)
    return rows


def numbers_of(scores, settings):
    facts = facts_of(scores, settings)
    axis = Axis.of(settings)
    places, found = places_of([facts], len(facts), axis, settings.split_degenerate)
    cuts = cut(places, settings, axis, found)
    return cuts, cuts.numbers(facts), facts


@given(SCORES, st.sampled_from(sorted(METRICS)), st.sampled_from([None, "max_reward"]))
def test_the_order_is_that_of_difficulty_and_equal_values_stay_together(scores, metric, tie_break):
    settings = Settings(metric=metric, buckets=2, tie_break=None if tie_break == metric else tie_break)
    values = [(METRICS[metric].hardness(METRICS[metric](own)),) for own in scores]
    if settings.tie_break:
        values = [
            (*value, METRICS[tie_break].hardness(METRICS[tie_break](own)))
            for value, own in zip(values, scores, strict=True)
        ]
    values = [tuple(place + 0.0 for place in value) for value in values]
    if len(set(values)) < 2:
        return
    _, numbers, _ = numbers_of(scores, settings)
    assert set(numbers.tolist()) == {0, 1}
    easy = max(value for value, number in zip(values, numbers, strict=True) if number == 0)
    hard = min(value for value, number in zip(values, numbers, strict=True) if number == 1)
    assert easy < hard


@given(SCORES, st.booleans(), st.sampled_from(["mean_reward", "inverse_mean"]))
def test_a_value_at_a_threshold_is_above_it(scores, split, metric):
    thresholds = (0.25, 0.5)
    settings = Settings(metric=metric, thresholds=thresholds, names=("a", "b", "c"), split_degenerate=split)
    facts = facts_of(scores, settings)
    inside = [row for row in facts if not split or 0 < row["passes"] < row["count"]]
    if {int(np.digitize(row["value"], thresholds)) for row in inside} != {0, 1, 2}:
        return
    cuts, numbers, _ = numbers_of(scores, settings)
    for row, number in zip(facts, numbers, strict=True):
        name = cuts.names[number]
        if split and row["passes"] in (0, row["count"]):
            assert name == ("never_solved" if row["passes"] == 0 else "always_solved")
        else:
            assert name == "abc"[np.digitize(row["value"], thresholds)]


def test_degenerate_prompts_take_no_part_in_the_cuts():
    scores = [[1.0, 1.0]] * 90 + [[0.0, 0.0]] * 50 + [[1.0, own] for own in (0.1, 0.2, 0.3, 0.4)]
    cuts, numbers, _ = numbers_of(scores, Settings(buckets=2, split_degenerate=True))
    assert cuts.names == ("always_solved", "easy", "hard", "never_solved")
    assert np.bincount(numbers).tolist() == [90, 2, 2, 50]


def test_only_the_degenerate_bucket_that_has_prompts_exists():
    cuts, _, _ = numbers_of([[0.0, 0.0], [1.0, 0.1], [1.0, 0.2]], Settings(buckets=2, split_degenerate=True))
    assert cuts.names == ("easy", "hard", "never_solved")


def test_places_cost_8_bytes_a_prompt_and_16_with_a_tie_break():
    for tie, size in ((None, 8), ("max_reward", 16)):
        settings = Settings(tie_break=tie)
        facts = facts_of([[0.0], [1.0]], settings)
        assert places_of([facts], 2, Axis.of(settings), apart=False)[0].itemsize == size


@pytest.mark.parametrize("tie_break", [None, "max_reward"])
@pytest.mark.parametrize("metric", ["mean_reward", "inverse_mean"])
def test_frequent_values_are_told_on_the_metrics_axis(metric, tie_break):
    settings = Settings(metric=metric, tie_break=tie_break)
    facts = facts_of([[0.25]] * 5 + [[0.5]] * 9 + [[1.0]], settings)
    axis = Axis.of(settings)
    places, _ = places_of([facts], len(facts), axis, apart=False)
    values = [0.5, 0.25] if metric == "mean_reward" else [0.5, 0.75]
    assert most_frequent(places, axis) == list(zip(values, [9, 5], strict=True))


def test_decimal_means_that_are_equal_stay_together():
    tenths = [[0.1, 0.2], [0.3, 0.0], [0.15, 0.15], [0.29999999999999999, 0.0], [0.7, 0.1], [0.8, 0.0]]
    _, numbers, facts = numbers_of(tenths, Settings(buckets=2))
    assert len(set(facts["value"].tolist())) == 2
    assert numbers.tolist() == [1, 1, 1, 1, 0, 0]


def test_a_mean_that_misses_a_threshold_by_rounding_alone_is_at_it():
    _, numbers, _ = numbers_of([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 2.8], [0.0], [1.0]], Settings(thresholds=(0.7,)))
    assert sum([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 2.8]) / 7 != 0.7
    assert numbers.tolist() == [0, 1, 0]
