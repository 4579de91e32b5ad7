"""What is made of the curves of runs: when a target is reached, how arms compare, and what the report says of them."""

import msgspec
import pytest


def test_a_target_is_reached_between_two_measurements(learning, made_up):
    curve = made_up(0.0, 0.0, 0.3, 0.6, 0.9)  # smoothed: 0, 0.1, 0.3, 0.6, 0.75; what is there before is not
    assert curve.reached(0.45, "tokens") == pytest.approx(250)
    assert curve.reached(0.45, "steps") == pytest.approx(25)
    assert curve.reached(0.0, "tokens") == 0
    assert curve.reached(0.8, "tokens") is None
    assert curve.least(400, "one") == 0.0, "of what training left"
    assert made_up(0.0, 0.9, 0.2, 0.9).least(300, "one") == 0.2, "a dip is told as it was"
    assert curve.after(35, "one", "steps") == pytest.approx(0.675)
    assert made_up(0.2, 0.8, 0.8).reached(0.5, "tokens") > 0, "no arm is there before it begins"
    assert curve.after(400, "one") == pytest.approx(0.75)
    assert curve.after(350, "one") == pytest.approx(0.675)


def test_the_area_ends_at_the_limit(learning, made_up):
    curve = made_up(0.2, 0.2, 0.2, 0.8, 0.8)
    assert curve.area(100) == pytest.approx(0.2)
    assert curve.area(250) == pytest.approx((20 + 30 + 22.5) / 250)


def test_an_arm_that_needs_half_as_much_is_twice_as_fast(learning, made_up):
    slow, fast = (made_up(*(step / 10 for step in range(11)), every=every) for every in (200, 100))
    found = learning("comparing").compare({0: slow, 1: slow}, {0: fast, 1: fast, 2: fast}, 0.5)
    assert (found.value, found.low, found.high) == (pytest.approx(2), pytest.approx(2), pytest.approx(2))
    assert (found.seeds, found.bound) == (2, "")


def test_the_interval_spans_what_the_seeds_span(learning):
    low, high = learning("comparing").interval([1.0, 2.0, 4.0, 2.0, 2.0])
    assert 1.0 < low < 2.0 < high < 4.0
    assert learning("comparing").geometric([1.0, 4.0]) == pytest.approx(2)


@pytest.mark.parametrize(
    ("baseline", "arm", "bound", "value"),
    [(0.9, 0.9, "", 1.0), (0.2, 0.9, ">=", 4.0), (0.9, 0.2, "<=", 0.25)],
    ids=["both arrive", "the baseline does not", "the arm does not"],
)
def test_who_does_not_arrive_counts_with_all_that_was_spent(learning, baseline, arm, bound, value, made_up):
    def run(end: float) -> object:
        return made_up(0.0, 0.0, end, end, end)  # 0.9 smoothed is 0.3 after 100 of 400 tokens

    found = learning("comparing").compare({0: run(baseline)}, {0: run(arm)}, 0.3)
    assert found.bound == bound
    assert found.value == pytest.approx(value)
    assert learning("comparing").compare({0: run(0.1)}, {0: run(0.1)}, 0.3) is None
    before = learning("comparing").compare({0: made_up(0.5, 0.5)}, {0: made_up(0.5, 0.5)}, 0.3)
    assert (before.value, before.low, before.high) == (1, 1, 1), "both are there before the first step"


def test_accuracies_are_compared_seed_by_seed(learning, made_up):
    def run(end: float) -> object:
        return made_up(0.0, end, end, end)

    def at_the_end(curve: object) -> float:
        return curve.after(300, "one")

    accuracies = learning("comparing").accuracies
    baseline, arm = {0: run(0.2), 1: run(0.8), 2: run(0.1)}, {0: run(0.4), 1: run(0.4)}
    value, low, high = accuracies(baseline, arm, at_the_end)
    assert (value, low, high) == (pytest.approx(1), pytest.approx(0.5), pytest.approx(2))
    assert accuracies({0: run(0.0)}, {0: run(0.5)}, at_the_end)[0] == pytest.approx(50), "0 counts as 0.01"
    assert accuracies({0: run(0.1)}, {1: run(0.1)}, at_the_end) is None


def test_the_report_says_what_loses(learning, made_up):
    arms, setting = learning("arms").read_arms(), learning("settings").SETTINGS["skew"]
    good, bad = made_up(0.1, 0.5, 0.8, 0.9, 0.9), made_up(0.1, 0.1, 0.1, 0.1, 0.1)
    text = learning("report").render(setting, arms, {"uniform_16x4": {0: good}, "dapo": {0: bad}})
    row = next(line for line in text.splitlines() if line.startswith("| `dapo`"))
    assert row.count("<=") == len(setting.targets)
    assert "arrive 0 and 1 of 1" in row
    assert "Tokens of the only baseline, `uniform_16x4`," in text
    two = learning("report").render(setting, arms, {"uniform_16x4": {0: good}, "uniform_8x4": {0: bad}})
    assert "Tokens of the best baseline, `uniform_16x4`," in two
    neither = learning("report").render(setting, arms, {"uniform_16x4": {0: bad}, "dapo": {0: bad}})
    rows = [line for line in text.splitlines() if line.startswith("| `dapo`")]
    area = [learning("curves").Curve.area(run, 400) for run in (good, bad)]
    assert [words in text for words in ("After 400 tokens", "After 40 steps")] == [True, True]
    assert [row.split(" | ")[2] for row in rows[-4::2]] == [f"{area[1]:.2f}"] * 2
    assert [row.split(" | ")[1] for row in rows[-3::2]] == [f"{area[1] / area[0]:.2f}"] * 2
    assert "neither arrives" in neither
    assert "0 of 1 arrive" in neither
    alone = learning("report").render(setting, arms, {"dapo": {0: bad}})
    assert "baseline" not in alone
    assert f"| `dapo` | 1 | {area[1]:.2f} |" in alone
    assert "- without a run in this setting: `uniform_32x8`, `uniform_16x4`" in alone


def test_all_are_looked_at_where_the_baseline_and_the_default_end(learning, made_up):
    """Another arm that ends before changes nothing for the others, and says so."""
    arms, setting = learning("arms").read_arms(), learning("settings").SETTINGS["skew"]
    runs = {"uniform_16x4": {0: made_up(0.1, 0.5, 0.8, 0.2, 0.9, 0.9)}, "bandit": {0: made_up(0.1, 0.3, 0.4)}}
    runs |= {"posterior": {0: made_up(0.1, 0.5, 0.8, 0.7, 0.9)}}
    text = learning("report").render(setting, arms, runs)
    found = text.split("After 400 tokens")[1].split("\n\n")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found]
    assert [rows[0][1], rows[0][-2:]] == ["seeds", ["least of one", "looks"]]
    assert [row[0] for row in rows[2:]] == ["before", "`uniform_16x4`", "`bandit`, ends at 200", "`posterior`"]
    assert [row[3] for row in rows[2:3]] == ["0.10"], "the model before, of the first level"
    assert [row[-2:] for row in rows[3:]] == [["0.20", "4"], ["0.30", "2"], ["0.50", "4"]]


def test_the_best_baseline_spends_the_fewest_tokens(learning, made_up):
    slow, fast = (made_up(*(step / 10 for step in range(11)), every=every) for every in (200, 100))
    never = made_up(0.0, 0.0, 0.0)
    best = learning("comparing").best
    assert best({"slow": {0: slow}, "fast": {0: fast}}, (0.3, 0.5)) == "fast"
    assert best({"never": {0: made_up(*[0.0] * 9)}, "fast": {0: fast}}, (0.5,)) == "fast"
    assert best({"never": {0: never}, "slow": {0: slow}}, (0.9,)) == "never", "it spent less, and is counted with that"
    fastest = made_up(*(step / 10 for step in range(11)), every=25)
    several = {"three": {0: fast, 1: slow, 2: slow}, "two": {0: slow, 1: fastest}, "one": {0: slow}}
    assert best(several, (0.5,)) == "two", "by both seeds, not by the one that all have"


def test_validations_that_cost_tokens_are_told(learning, made_up):
    arms, setting = learning("arms").read_arms(), learning("settings").SETTINGS["skew"]
    runs = {0: msgspec.structs.replace(made_up(0.1, 0.5), validation=12_000), 1: made_up(0.1, 0.5)}
    text = learning("report").render(setting, arms, {"mixture": runs, "bandit": {0: made_up(0.1, 0.5)}})
    told = {line.partition(":")[0]: line for line in text.splitlines() if line.startswith("- ")}
    assert "its validations took 6,000 tokens, which are not counted" in told["- `mixture`"]
    assert "validations" not in told["- `bandit`"]
