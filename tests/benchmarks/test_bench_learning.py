"""The benchmark of learning: its figures are what its words say, and every arm is a run that verl accepts."""

import dataclasses
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from curriculum_verl.errors import InputError

HERE = Path(__file__).parent
SCRIPT = HERE / "bench_learning.py"


@pytest.fixture
def learning(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A module of the package beside the script, which finds it by its own folder."""
    import importlib

    monkeypatch.syspath_prepend(str(HERE))
    return lambda name: importlib.import_module(f"learning.{name}")


def made_up(learning: Callable[[str], ModuleType], *accuracy: float, every: int = 100) -> object:
    steps = list(range(len(accuracy)))
    return learning("curves").Curve(
        steps=[10 * step for step in steps],
        tokens=[float(every * step) for step in steps],
        seconds=[float(step) for step in steps],
        accuracy={"one": list(accuracy), "two": list(accuracy)},
        informative=0.5,
    )


def test_a_target_is_reached_between_two_measurements(learning):
    curve = made_up(learning, 0.0, 0.0, 0.3, 0.6, 0.9)  # smoothed: 0, 0.1, 0.3, 0.6, 0.75
    assert curve.reached(0.45, "tokens") == pytest.approx(250)
    assert curve.reached(0.45, "steps") == pytest.approx(25)
    assert curve.reached(0.0, "tokens") == 0
    assert curve.reached(0.8, "tokens") is None
    assert curve.least(400, "one") == 0
    assert curve.after(400, "one") == pytest.approx(0.75)
    assert curve.after(350, "one") == pytest.approx(0.675)


def test_the_area_ends_at_the_limit(learning):
    curve = made_up(learning, 0.2, 0.2, 0.2, 0.8, 0.8)
    assert curve.area(100) == pytest.approx(0.2)
    assert curve.area(250) == pytest.approx((20 + 30 + 22.5) / 250)


def test_an_arm_that_needs_half_as_much_is_twice_as_fast(learning):
    slow, fast = (made_up(learning, *(step / 10 for step in range(11)), every=every) for every in (200, 100))
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
def test_who_does_not_arrive_counts_with_all_that_was_spent(learning, baseline, arm, bound, value):
    def run(end: float) -> object:
        return made_up(learning, 0.0, 0.0, end, end, end)  # 0.9 smoothed is 0.3 after 100 of 400 tokens

    found = learning("comparing").compare({0: run(baseline)}, {0: run(arm)}, 0.3)
    assert found.bound == bound
    assert found.value == pytest.approx(value)
    assert learning("comparing").compare({0: run(0.1)}, {0: run(0.1)}, 0.3) is None


def test_accuracies_are_compared_seed_by_seed(learning):
    def run(end: float) -> object:
        return made_up(learning, 0.0, end, end, end)

    def at_the_end(curve: object) -> float:
        return curve.after(300, "one")

    accuracies = learning("comparing").accuracies
    baseline, arm = {0: run(0.2), 1: run(0.8), 2: run(0.1)}, {0: run(0.4), 1: run(0.4)}
    value, low, high = accuracies(baseline, arm, at_the_end)
    assert (value, low, high) == (pytest.approx(1), pytest.approx(0.5), pytest.approx(2))
    assert accuracies({0: run(0.0)}, {0: run(0.5)}, at_the_end)[0] == pytest.approx(50), "0 counts as 0.01"


def test_the_report_says_what_loses(learning):
    arms, setting = learning("arms").read_arms(), learning("settings").SETTINGS["skew"]
    good, bad = made_up(learning, 0.1, 0.5, 0.8, 0.9, 0.9), made_up(learning, 0.1, 0.1, 0.1, 0.1, 0.1)
    text = learning("report").render(setting, arms, {"uniform_16x4": {0: good}, "dapo": {0: bad}})
    row = next(line for line in text.splitlines() if line.startswith("| `dapo`"))
    assert row.count("<=") == len(setting.targets)
    assert "arrive 0 and 1 of 1" in row
    neither = learning("report").render(setting, arms, {"uniform_16x4": {0: bad}, "dapo": {0: bad}})
    rows = [line for line in text.splitlines() if line.startswith("| `dapo`")]
    area = [learning("curves").Curve.area(run, setting.budget) for run in (good, bad)]
    assert rows[-2].startswith(f"| `dapo` | {area[1]:.2f} |")
    assert rows[-1].startswith(f"| `dapo` | {area[1] / area[0]:.2f} |")
    assert "neither arrives" in neither
    assert "0 of 1 arrive" in neither
    alone = learning("report").render(setting, arms, {"dapo": {0: bad}})
    assert "baseline" not in alone
    assert f"| `dapo` | {area[1]:.2f} |" in alone


def test_the_best_baseline_spends_the_fewest_tokens(learning):
    slow, fast = (made_up(learning, *(step / 10 for step in range(11)), every=every) for every in (200, 100))
    never = made_up(learning, 0.0, 0.0, 0.0)
    best = learning("comparing").best
    assert best({"slow": {0: slow}, "fast": {0: fast}}, (0.3, 0.5)) == "fast"
    assert best({"never": {0: made_up(learning, *[0.0] * 9)}, "fast": {0: fast}}, (0.5,)) == "fast"
    assert best({"never": {0: never}, "slow": {0: slow}}, (0.9,)) == "never", "it spent less, and is counted with that"


def test_goals_are_judged_against_the_best_baseline(learning):
    arms, setting = learning("arms").read_arms(), learning("settings").SETTINGS["skew"]
    rising = [step / 20 for step in range(20)]
    runs = {
        "uniform_32x8_fast": {0: made_up(learning, *rising, every=4000)},
        "uniform_16x4": {0: made_up(learning, *rising, every=9000)},
        "dapo": {0: made_up(learning, *[0.0] * 20, every=20000)},
        "dapo_fast": {0: made_up(learning, *[0.0] * 20, every=9000)},
        "posterior": {0: made_up(learning, *rising, every=1000)},
    }
    goals = list(learning("goals").judged(setting, arms, runs))
    told = {goal.goal: (round(goal.measured, 2), goal.met) for goal in goals}
    assert told["skew: tokens of the best uniform over ours, to 0.7"] == (4.0, True)
    assert [goal.met for goal in goals if "filter" in goal.goal] == [True, True]
    assert all("lower bound" in goal.note for goal in goals if "filter" in goal.goal)
    slower = runs | {"posterior": {0: made_up(learning, *rising, every=3000)}}
    goals = list(learning("goals").judged(setting, arms, slower))
    assert not next(goal for goal in goals if goal.goal.endswith("ours, to 0.7")).met
    [beside] = [goal for goal in goals if "filter" in goal.goal and goal.goal.endswith("0.7")]
    assert beside.measured == pytest.approx(19 * 9000 / (0.7 * 20 * 3000)), "the better of the two filters"
    assert (beside.met, beside.undecided) == (False, "a lower bound: the filter does not arrive")


@pytest.mark.parametrize(
    ("kind", "answer"),
    [("copied", "730112"), ("backwards", "211037"), ("sums", "700124"), ("sorted", "011237"), ("changes", "767101")],
)
def test_a_kind_is_told_by_the_first_character_and_answered_by_its_rule(learning, kind, answer):
    kinds = learning("kinds")
    number = kinds.NAMES.index(kind)
    assert "".join(map(str, kinds.KINDS[kind]([7, 3, 0, 1, 1, 2]))) == answer
    task = kinds.make_task(number, random.Random(0))
    assert (task.prompt[0], task.level, len(task.prompt)) == (str(number), number, 15)
    assert task.answer == "".join(map(str, kinds.KINDS[kind]([int(digit) for digit in task.prompt[1:7]])))


def test_a_warm_up_has_the_buckets_that_its_chats_are_in(learning):
    settings = learning("settings").SETTINGS.values()
    families = {setting.family.name: setting.family for setting in settings}.values()
    assert len(families) == 2
    for family in families:
        told = yaml.safe_load(family.warm_up.read_text())
        assert set(told["data"]["buckets"]) == {bucket for bucket, _ in family.chats.values()}


def test_every_arm_is_a_run_that_verl_accepts(learning, tmp_path, monkeypatch):
    pytest.importorskip("verl")
    from hydra import compose, initialize_config_dir

    from curriculum_verl.curriculum import load_config
    from curriculum_verl.verl_plugin.settings import engine_block

    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    monkeypatch.chdir(tmp_path)
    running, setting = learning("running"), learning("settings").SETTINGS["skew"]
    for arm in learning("arms").read_arms().values():
        _, folder, _, recipe, *told = running.arguments(tmp_path, running.Task(setting, arm, 3))
        with initialize_config_dir(folder, version_base=None):
            config = compose(recipe, told)
        names = ("easy", "medium", "hard", "very_hard")[: arm.buckets]
        curriculum = load_config(engine_block(config), buckets=names)
        assert curriculum.seed == 3
        assert curriculum.policy.name == EXPECTED.get(arm.name, arm.name), arm.name
        assert config.algorithm.filter_groups.enable == arm.name.startswith("dapo")
        assert arm.baseline == arm.name.startswith("uniform")
        assert arm.goes_on == arm.name.startswith(("uniform", "dapo"))
        assert (config.trainer.test_freq > 0) == (arm.name in ("mixture", "cumulative"))


EXPECTED = {
    **dict.fromkeys(("uniform_32x8_fast", "uniform_16x4", "uniform_16x4_fast"), "uniform"),
    **dict.fromkeys(("uniform_8x4", "uniform_8x4_slow"), "uniform"),
    **dict.fromkeys(("dapo", "dapo_fast", "cumulative"), "uniform"),
    **dict.fromkeys(("posterior_fast", "posterior_admission"), "posterior"),
}


def test_what_another_process_runs_is_left_to_it(learning, tmp_path):
    running = learning("running")
    with running.claimed(tmp_path / "run") as ours, running.claimed(tmp_path / "run") as theirs:
        assert (ours, theirs) == (True, False)
    with running.claimed(tmp_path / "run") as afterwards:
        assert afterwards


def test_a_result_of_other_settings_is_not_taken_for_one_of_these(learning, tmp_path):
    running, setting = learning("running"), learning("settings").SETTINGS["main"]
    task = running.Task(setting, learning("arms").read_arms()["posterior"], 0)
    assert not task.done(tmp_path)
    place = task.folder(tmp_path)
    place.mkdir(parents=True)
    (place / running.RESULT).write_text(json.dumps({"asked": task.asked}))
    assert task.done(tmp_path)
    fewer = dataclasses.replace(task, setting=dataclasses.replace(setting, budget=setting.budget - 1))
    faster = dataclasses.replace(task, arm=dataclasses.replace(task.arm, overrides=["lr=1"]))
    for other in (fewer, faster):
        with pytest.raises(InputError, match="posterior/0: holds a result of other settings"):
            other.done(tmp_path)


def test_the_script_explains_itself_from_anywhere(tmp_path):
    shown = subprocess.run(
        [sys.executable, SCRIPT, "--help"], cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=True
    )
    assert "bench_learning.py --full" in shown.stdout
    empty = subprocess.run([sys.executable, SCRIPT, "--report"], cwd=tmp_path, capture_output=True, text=True)
    assert (empty.returncode, empty.stdout) == (1, "no run is done yet\n")
