import itertools
import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curriculum_verl.curriculum.formula import parse_formula
from curriculum_verl.curriculum.tracker import Rate, Reading, Tracker, least_squares_slope
from curriculum_verl.errors import InputError

VALUES = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
HISTORY = st.lists(st.tuples(st.integers(1, 3), VALUES, st.integers(0, 20)), max_size=40)


def filled(history, /, **settings):
    """A tracker that saw values at growing steps, and the valid (step, value, trials) of them."""
    tracker, valid, step = Tracker(**settings), [], 0
    for gap, value, trials in history:
        step += gap
        tracker.observe(step, {"m": Rate(value, trials) if trials else value})
        if math.isfinite(value):
            valid.append((step, value, trials))
    return tracker, valid


def plain_slope(values):
    """Textbook normal equations."""
    n, xs = len(values), range(len(values))
    mean_x, mean_y = sum(xs) / n, math.fsum(values) / n
    products = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(xs, values, strict=True))
    return products / math.fsum((x - mean_x) ** 2 for x in xs)


@settings(max_examples=300)
@given(HISTORY, st.integers(1, 4) | st.integers(1, 12), st.integers(-1, 8) | st.integers(-1, 60))
def test_windows_against_plain_python(history, size, after):
    tracker, valid = filled(history, keep=12)
    last = [entry for entry in valid if entry[0] > after][-size:]
    reading = tracker.window("m", size, after)
    if len(last) < size:
        assert reading is None
        assert tracker.slope("m", size, after) is None
        return
    assert reading.mean == pytest.approx(math.fsum(value for _, value, _ in last) / size)
    assert reading.trials == sum(trials for _, _, trials in last)
    assert reading.step == last[-1][0]
    if reading.trials:
        rate = math.fsum(value * trials for _, value, trials in last) / reading.trials
        assert reading.rate == pytest.approx(rate)
    else:
        assert math.isnan(reading.rate)
    if size > 1:
        slope = plain_slope([value for _, value, _ in last])
        assert tracker.slope("m", size, after) == pytest.approx(slope, rel=1e-6, abs=1e-6)


@given(HISTORY)
def test_last_best_average_and_counts_against_plain_python(history):
    tracker, valid = filled(history, half_life=5.0)
    values = [value for _, value, _ in valid]
    assert tracker.invalid.get("m", 0) == len(history) - len(valid)
    assert tracker.metrics() == {"invalid_values": len(history) - len(valid)}
    assert tracker.last("m") == (values[-1] if values else None)
    assert tracker.best("m") == (max(values) if values else None)
    assert tracker.best("m", "min") == (min(values) if values else None)
    average = values[0] if values else None
    for value in values[1:]:
        average += (1 - 0.5 ** (1 / 5)) * (value - average)
    assert tracker.average("m") == pytest.approx(average)
    assert tracker.names() == (["m"] if values else [])


def test_half_life_of_the_average():
    tracker = Tracker(half_life=4.0)
    for step in range(6):
        tracker.observe(step, {"m": 1.0 if step < 2 else 0.0})
    assert tracker.average("m") == pytest.approx(0.5)


@settings(max_examples=60)
@given(st.integers(0, 400), st.integers(1, 20))
def test_history_is_bounded_evenly_spread_and_true(count, limit):
    tracker = Tracker(history=limit)
    for step in range(count):
        tracker.observe(step, {"m": step * 0.5})
    steps, values = tracker.history("m")
    assert len(steps) <= limit
    assert len(steps) >= min(count, limit) / 2 - 1
    assert values == [step * 0.5 for step in steps]
    assert len({later - earlier for earlier, later in itertools.pairwise(steps)}) <= 1
    assert steps[:1] == ([0] if count else [])


def test_memory_is_bounded():
    tracker = Tracker(keep=10, history=50)
    for step in range(5000):
        tracker.observe(step, {"m": 1.0})
    saved = tracker.state_dict()["series"]["m"]
    assert len(saved["recent"]) == 11  # one more than is kept, for a derived value that is taken back
    assert len(saved["values"]) <= 50
    assert saved["count"] == 5000


def test_a_window_that_begins_before_the_stage_is_not_full():
    tracker = Tracker()
    for step in (1, 2, 3):
        tracker.observe(step, {"m": float(step)})
    assert tracker.window("m", 2, after=2) is None
    assert tracker.window("m", 2, after=1).mean == 2.5


def test_a_window_beyond_what_is_kept_is_refused():
    with pytest.raises(InputError, match="window of m: got 11, expected at most 10"):
        Tracker(keep=10).window("m", 11)


def test_nothing_is_known_of_an_unknown_metric():
    tracker = Tracker()
    assert [tracker.last("m"), tracker.average("m"), tracker.best("m"), tracker.slope("m", 3)] == [None] * 4
    assert tracker.history("m") == ([], [])


@pytest.mark.parametrize("second", [{"m": 5.0}, {"m": math.nan}])
def test_a_second_value_for_the_same_step_changes_nothing(second):
    tracker = Tracker()
    tracker.observe(1, {"m": 2.0})
    before = tracker.state_dict()
    tracker.observe(1, second)
    assert tracker.state_dict()["series"] == before["series"]


def test_a_step_observed_twice_changes_nothing_even_with_invalid_values():
    tracker = Tracker(derived={"d": parse_formula("m / z")})
    metrics = {"m": 1.0, "z": 0.0, "broken": math.nan}
    tracker.observe(1, metrics)
    before = tracker.state_dict()
    tracker.observe(1, metrics)
    assert tracker.state_dict() == before


def test_an_older_step_does_not_come_after_a_newer_one():
    tracker = Tracker()
    for step in (1, 2, 1):
        tracker.observe(step, {"m": float(step)})
    assert tracker.last("m") == 2.0
    assert tracker.state_dict()["series"]["m"]["count"] == 2


def test_derived_metrics_feed_on_each_other():
    derived = {"product": parse_formula("a * b"), "twice": parse_formula("2 * product")}
    tracker = Tracker(derived=derived)
    tracker.observe(1, {"a": 3.0})
    assert tracker.names() == ["a"]
    tracker.observe(2, {"b": 0.5})
    assert tracker.last("product") == 1.5
    assert tracker.last("twice") == 3.0
    tracker.observe(3, {"other": 1.0})
    assert tracker.history("product") == ([2], [1.5])
    tracker.observe(4, {"a": 1.0, "b": math.nan})
    assert tracker.last("twice") == 1.0


def test_a_derived_metric_counts_where_it_is_not_defined():
    tracker = Tracker(derived={"ratio": parse_formula("a / b")})
    tracker.observe(1, {"a": 1.0, "b": 0.0})
    assert tracker.last("ratio") is None
    assert tracker.invalid == {"ratio": 1}


def test_a_derived_metric_takes_all_that_its_step_reports():
    """Training and validation report for the same step one after the other."""
    tracker = Tracker(derived={"both": parse_formula("train + val")})
    tracker.observe(1, {"train": 1.0})
    tracker.observe(1, {"val": 10.0})
    tracker.observe(2, {"train": 2.0})
    tracker.observe(2, {"val": 20.0})
    assert tracker.last("both") == 22.0


@settings(max_examples=50)
@given(HISTORY, HISTORY)
def test_state_round_trip(through_json, before, after):
    derived = {"d": parse_formula("m * m")}
    tracker, _ = filled(before, keep=5, history=7, derived=derived)
    saved = through_json(tracker.state_dict())
    other = Tracker(keep=5, history=7, derived=derived)
    other.load_state_dict(saved)
    step = 10_000
    for gap, value, trials in after:
        step += gap
        for each in (tracker, other):
            each.observe(step, {"m": Rate(value, trials)})
    assert other.state_dict() == tracker.state_dict()
    for size in (1, 3, 5):
        assert repr(other.window("m", size)) == repr(tracker.window("m", size))


def test_loading_does_not_tie_the_tracker_to_the_state(through_json):
    tracker, _ = filled([(1, 1.0, 0)] * 3)
    saved = through_json(tracker.state_dict())
    copy = through_json(saved)
    other = Tracker()
    other.load_state_dict(saved)
    other.observe(50, {"m": 9.0, "bad": math.nan})
    assert saved == copy
    snapshot = other.state_dict()
    other.observe(51, {"m": 1.0})
    assert len(snapshot["series"]["m"]["values"]) == 4


def test_reading_while_another_thread_writes():
    tracker = Tracker(keep=50, history=20, derived={"d": parse_formula("m - m")})
    steps, errors, looked, done = 3000, [], threading.Event(), threading.Event()

    def read():
        try:
            while not done.is_set():
                for name in tracker.names():
                    # The writer's values are equal to their steps: a torn read would not be a run of neighbours.
                    reading = tracker.window(name, 10)
                    if name == "m" and reading is not None:
                        assert reading.mean == reading.step - 4.5
                        assert abs(tracker.slope(name, 10) - 1.0) < 1e-9
                    taken, values = tracker.history(name)
                    assert len(taken) == len(values) <= 20
                    tracker.state_dict(), tracker.average(name), tracker.best(name), tracker.metrics()
                    looked.set()
        except BaseException as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for step in range(steps):
        tracker.observe(step, {"m": float(step), f"other{step % 100}": 1.0})
        assert looked.wait(30), errors
    done.set()
    reader.join(timeout=30)
    assert not reader.is_alive()
    assert errors == []
    assert tracker.window("m", 1) == Reading(steps - 1.0, pytest.approx(math.nan, nan_ok=True), 0, steps - 1)


@pytest.mark.parametrize("values", [[1.0, 2.0], [3.0, 1.0, 4.0, 1.0, 5.0], [0.25] * 6])
def test_slope_by_the_normal_equations(values):
    assert least_squares_slope(values) == pytest.approx(plain_slope(values), abs=1e-12)


def test_a_derived_value_can_be_replaced_after_a_resume(through_json):
    derived = {"both": parse_formula("train + val")}
    tracker, resumed = Tracker(derived=derived), Tracker(derived=derived)
    for step, value in ((1, 5.0), (2, 1.0)):
        tracker.observe(step, {"train": value})
        tracker.observe(step, {"val": value})
    tracker.observe(3, {"train": 9.0})
    resumed.load_state_dict(through_json(tracker.state_dict()))
    for either in (tracker, resumed):
        either.observe(3, {"val": -8.0})
    assert resumed.state_dict() == tracker.state_dict()
    assert resumed.best("both") == 10.0
    assert resumed.history("both") == ([1, 2, 3], [10.0, 2.0, 1.0])
    average = 10.0
    for value in (2.0, 1.0):
        average += (1 - 0.5 ** (1 / 20)) * (value - average)
    assert resumed.average("both") == pytest.approx(average)
