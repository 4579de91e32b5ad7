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
    curve = made_up(learning, 0.0, 0.0, 0.3, 0.6, 0.9)  # smoothed: 0, 0.1, 0.3, 0.6, 0.75; what is there before is not
    assert curve.reached(0.45, "tokens") == pytest.approx(250)
    assert curve.reached(0.45, "steps") == pytest.approx(25)
    assert curve.reached(0.0, "tokens") == 0
    assert curve.reached(0.8, "tokens") is None
    assert curve.least(400, "one") == pytest.approx(0.1), "of what training left"
    assert curve.after(35, "one", "steps") == pytest.approx(0.675)
    assert made_up(learning, 0.2, 0.8, 0.8).reached(0.5, "tokens") > 0, "no arm is there before it begins"
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
    assert accuracies({0: run(0.1)}, {1: run(0.1)}, at_the_end) is None


def test_the_report_says_what_loses(learning):
    arms, setting = learning("arms").read_arms(), learning("settings").SETTINGS["skew"]
    good, bad = made_up(learning, 0.1, 0.5, 0.8, 0.9, 0.9), made_up(learning, 0.1, 0.1, 0.1, 0.1, 0.1)
    text = learning("report").render(setting, arms, {"uniform_16x4": {0: good}, "dapo": {0: bad}})
    row = next(line for line in text.splitlines() if line.startswith("| `dapo`"))
    assert row.count("<=") == len(setting.targets)
    assert "arrive 0 and 1 of 1" in row
    neither = learning("report").render(setting, arms, {"uniform_16x4": {0: bad}, "dapo": {0: bad}})
    rows = [line for line in text.splitlines() if line.startswith("| `dapo`")]
    area = [learning("curves").Curve.area(run, 400) for run in (good, bad)]
    assert [words in text for words in ("After 400 tokens", "After 40 steps")] == [True, True]
    assert [row.split(" | ")[1] for row in rows[-4::2]] == [f"{area[1]:.2f}"] * 2
    assert [row.split(" | ")[1] for row in rows[-3::2]] == [f"{area[1] / area[0]:.2f}"] * 2
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


RISING = [step / 20 for step in range(20)]


def told_goals(learning, seeds: int = 1, **runs: object) -> dict[str, tuple[float, str]]:
    from report import render_goals

    arms, setting = learning("arms").read_arms(), learning("settings").SETTINGS["skew"]
    goals = list(
        learning("goals").judged(setting, arms, {name: dict.fromkeys(range(seeds), run) for name, run in runs.items()})
    )
    verdicts = [line.split(" | ")[-1].rstrip(" |") for line in render_goals(goals).splitlines()[2 : 2 + len(goals)]]
    return {
        goal.goal.removeprefix("skew: "): (round(goal.measured, 2), verdict)
        for goal, verdict in zip(goals, verdicts, strict=True)
    }


def test_goals_are_judged_against_the_best_baseline_and_the_best_filter(learning):
    told = told_goals(
        learning,
        uniform_32x8=made_up(learning, *RISING, every=4000),
        uniform_16x4=made_up(learning, *RISING, every=9000),
        dapo=made_up(learning, *RISING, every=9000),
        dapo_fast=made_up(learning, *RISING, every=6000),
        posterior=made_up(learning, *RISING, every=1000),
    )
    assert told["tokens of `uniform_32x8` over ours, to 0.7"] == (4.0, "met")
    few = (4.0, "not decided: fewer than 3 seeds")
    assert told["tokens of `uniform_32x8` over ours, to 0.7, lower end of the interval"] == few
    assert told["tokens of `dapo_fast` over ours, to 0.8"] == (6.0, "met")


def test_the_end_of_an_interval_is_judged_by_three_seeds_and_as_a_bound_where_it_is_one(learning):
    def told(**runs: object) -> tuple[float, str]:
        found = told_goals(learning, 3, **{name: made_up(learning, *run, every=1000) for name, run in runs.items()})
        return found["tokens of `uniform_16x4` over ours, to 0.7, lower end of the interval"]

    slower, never = [step / 40 for step in range(40)], [0.0] * 40
    assert told(uniform_16x4=slower, posterior=RISING)[1] == "met"
    assert told(uniform_16x4=RISING, posterior=slower)[1] == "**NOT MET**"
    late = "not decided: an upper bound: ours does not arrive"
    assert told(uniform_16x4=slower, posterior=[0.0] * 20) == (pytest.approx(1.5, abs=0.1), late)
    assert told(uniform_16x4=RISING, posterior=never)[1] == "**NOT MET**"


def test_a_bound_decides_only_on_its_side_of_what_is_wanted(learning):
    def told(**runs: object) -> str:
        return told_goals(learning, **runs)["tokens of `uniform_16x4` over ours, to 0.7"][1]

    def run(every: int, *accuracy: float) -> object:
        return made_up(learning, *(accuracy or RISING), every=every)

    never = [0.0] * 20
    assert told(uniform_16x4=run(2000), posterior=run(1000)) == "**NOT MET**"
    assert told(uniform_16x4=run(9000, *never), posterior=run(1000)) == "met"
    late = "not decided: a lower bound: `uniform_16x4` does not arrive"
    assert told(uniform_16x4=run(1000, *never), posterior=run(1000)) == late
    assert told(uniform_16x4=run(1000), posterior=run(1000, *never)) == "**NOT MET**"
    hopeful = "not decided: an upper bound: ours does not arrive"
    assert told(uniform_16x4=run(9000), posterior=run(1000, *never)) == hopeful
    neither = "not decided: neither arrives in a seed that both have"
    assert told(uniform_16x4=run(1000, *never), posterior=run(1000, *never)) == neither


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
        assert config.algorithm.filter_groups.enable == arm.name.startswith(("dapo", "posterior_filter"))
        assert arm.baseline == arm.name.startswith("uniform")
        assert arm.goes_on == arm.name.startswith(("uniform", "dapo"))
        assert (config.trainer.test_freq > 0) == (arm.name in ("mixture", "cumulative"))


EXPECTED = {
    **dict.fromkeys(("uniform_32x8", "uniform_16x4", "uniform_16x4_fast"), "uniform"),
    **dict.fromkeys(("uniform_8x4", "uniform_8x4_slow"), "uniform"),
    **dict.fromkeys(("dapo", "dapo_fast", "dapo_16x4", "cumulative"), "uniform"),
    **dict.fromkeys(("posterior_8x4", "posterior_8x4_fast", "posterior_admission", "posterior_filter"), "posterior"),
    "balanced": "mixture",
}


def test_what_another_process_runs_is_left_to_it(load, tmp_path):
    claimed = load("claiming").claimed
    with claimed(tmp_path / "run") as ours, claimed(tmp_path / "run") as theirs:
        assert (ours, theirs) == (True, False)
    with claimed(tmp_path / "run") as afterwards:
        assert afterwards


def test_what_was_begun_as_something_else_is_not_gone_on_with(learning, tmp_path):
    running, setting = learning("running"), learning("settings").SETTINGS["main"]
    task = running.Task(setting, learning("arms").read_arms()["posterior"], 0)
    assert not task.done(tmp_path)
    task.agree(tmp_path)
    (task.folder(tmp_path) / running.RESULT).write_text("{}")
    assert task.done(tmp_path)
    fewer = dataclasses.replace(task, setting=dataclasses.replace(setting, budget=setting.budget - 1))
    faster = dataclasses.replace(task, arm=dataclasses.replace(task.arm, overrides=["lr=1"]))
    for other, what in ((fewer, "budget"), (faster, "told")):
        with pytest.raises(InputError, match=rf"posterior/0: was begun with other settings than now \({what}\)"):
            other.done(tmp_path)
    prompts = dataclasses.replace(task, setting=dataclasses.replace(setting, prompts={3: 1}))
    with pytest.raises(InputError, match=r"main: was begun with other settings than now \(prompts\); remove"):
        prompts.done(tmp_path)


@pytest.fixture
def collecting(learning, tmp_path):
    """Collect runs of `posterior` on main by their seeds; every one has this accuracy."""
    arms, records, task = learning("arms").read_arms(), learning("records"), learning("running").Task
    setting = learning("settings").SETTINGS["main"]

    def run(seed: int, accuracy: float) -> object:
        asked, made_of = task(setting, arms["posterior"], seed).asked, learning("preparing").made_of(setting)
        curve = made_up(learning, accuracy, accuracy)
        return records.Record("main", "posterior", seed, asked, made_of, 1000, "- machine: one", curve)

    def collect(*own: tuple[int, float]) -> list[tuple[int, float]]:
        found = records.collect(tmp_path / "runs.jsonl", [run(*one) for one in own], arms)
        return [(record.seed, record.curve.accuracy["one"][0]) for record in found]

    return collect


def test_runs_of_several_folders_are_collected_and_ones_own_come_first(collecting, tmp_path):
    assert collecting((1, 0.5), (0, 0.5)) == [(0, 0.5), (1, 0.5)]
    assert collecting((1, 0.75), (2, 0.75)) == [(0, 0.5), (1, 0.75), (2, 0.75)]
    assert collecting() == [(0, 0.5), (1, 0.75), (2, 0.75)], "they are in the file"
    shown = subprocess.run(
        [sys.executable, SCRIPT, "--report", "--folder", tmp_path, "--collect", tmp_path / "runs.jsonl"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "- machine: one\n- runs: 3\n" in shown.stdout
    assert "| `posterior` | 0.67 | 0.67 | 0.67 | 0.67 |" in shown.stdout
    assert "Bucketing took 1,000 generated tokens" in shown.stdout


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("actor_rollout_ref.actor.optim.lr", "lr", "main, posterior, seed 1 ran with other settings than now (told)"),
        ('"held_out":48', '"held_out":49', "seed 1 ran with other settings than now (held_out)"),
        ('"arm":"posterior"', '"arm":"prior"', "there is no main or no prior any more"),
        ('"seed":1', '"seed":"one"', "is no run of this benchmark (Expected `int`, got `str` - at `$.seed`)"),
    ],
)
def test_what_was_collected_of_other_settings_is_refused(collecting, tmp_path, old, new, words):
    collecting((0, 0.5), (1, 0.5))
    path = tmp_path / "runs.jsonl"
    first, second = path.read_text().splitlines()
    assert old in second
    path.write_text(f"{first}\n{second.replace(old, new)}\n")
    before = path.read_bytes()
    with pytest.raises(InputError) as refused:
        collecting((0, 0.75))
    assert str(refused.value).startswith(f"{path}: line 2")
    assert words in str(refused.value)
    assert str(refused.value).endswith("; remove the line")
    assert path.read_bytes() == before


def test_a_recipe_that_was_edited_is_another_one(learning, tmp_path, monkeypatch):
    arms = learning("arms")
    arm = arms.read_arms()["posterior"]
    before = arm.written
    for name in ("_base", "posterior"):
        (tmp_path / f"{name}.yaml").write_bytes((arms.RECIPES / f"{name}.yaml").read_bytes())
    monkeypatch.setattr(arms, "RECIPES", tmp_path)
    assert arm.written == before
    with (tmp_path / "posterior.yaml").open("a") as file:
        file.write("# why\n")
        file.flush()
        assert arm.written == before
        file.write("extra: 1\n")
    assert arm.written != before


def test_tokens_of_all_buckets_count_and_those_of_a_resumed_step_once(learning, tmp_path):
    from curriculum_verl.runs.history import read_history

    running, path = learning("running"), tmp_path / "curriculum.jsonl"

    def step(number: int, hard: int, share: float) -> dict[str, object]:
        told = {"tokens/easy": 10, "tokens/hard": hard, "filtering_rate": share}
        metrics = {f"curriculum/{name}": value for name, value in told.items()} | {"timing_s/step": 2.0}
        return {"kind": "step", "step": number, "time": 1.0, "stage": "all", "metrics": metrics, "exit": []}

    start = {"kind": "start", "step": 0, "time": 1.0, "stage": "all", "buckets": ["easy", "hard"], "ends": {}}
    lines = [start, step(1, 30, 0.5), step(2, 99, 0.1), start | {"step": 1}, step(2, 50, 0.7), step(3, 90, 0.1)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    history = read_history(path)
    assert running._tokens(history).tolist() == [0, 40, 100, 200]
    assert running._steps_within(100, history) == [1, 2]
    curve = running._curve(history, {0: {"one": 0.1}, 2: {"one": 0.4}}, 100)
    assert (curve.tokens, curve.seconds) == ([0, 100], [0, 4])
    assert curve.informative == pytest.approx(0.6), "of the steps within the budget"


def test_who_is_mislabelled_gets_the_scores_of_another(learning, tmp_path):
    preparing, settings = learning("preparing"), learning("settings")
    rows = [{"id": f"{row}", "response": [f"{row}"], "reward": [float(row)]} for row in range(100)]
    (tmp_path / "sampled").mkdir()
    (tmp_path / "sampled" / "rollouts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "out").mkdir()
    preparing.mislabel(settings.SETTINGS["noisy"], tmp_path, tmp_path / "out")
    found = [json.loads(line) for line in (tmp_path / "out" / "rollouts.jsonl").read_text().splitlines()]
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert sum(row["id"] != row["response"][0] for row in found) == 30
    assert sorted(row["reward"][0] for row in found) == [float(row) for row in range(100)]


def test_the_script_explains_itself_from_anywhere(tmp_path):
    shown = subprocess.run(
        [sys.executable, SCRIPT, "--help"], cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=True
    )
    assert "bench_learning.py --full" in shown.stdout
    empty = subprocess.run([sys.executable, SCRIPT, "--report"], cwd=tmp_path, capture_output=True, text=True)
    assert (empty.returncode, empty.stdout) == (1, "no run is done yet\n")


def test_a_kept_result_of_other_settings_is_told_without_a_traceback(learning, tmp_path):
    running = learning("running")
    task = running.Task(learning("settings").SETTINGS["main"], learning("arms").read_arms()["posterior"], 0)
    task.agree(tmp_path)
    place = task.folder(tmp_path)
    (place / running.RESULT).write_text("{}")
    (place / "asked.json").write_text('{"recipe": "another"}')
    done = subprocess.run(
        [sys.executable, SCRIPT, "--report", "--folder", tmp_path], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"FAILED: {place}: was begun with other settings than now")
    assert "Traceback" not in done.stderr
