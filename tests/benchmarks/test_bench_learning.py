"""The benchmark of learning: its tasks, its arms, which are runs that verl accepts, and what is kept of them."""

import contextlib
import dataclasses
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from curriculum_verl.curriculum.policies import POLICIES
from curriculum_verl.errors import InputError

SCRIPT = Path(__file__).parent / "bench_learning.py"


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
        decided_by = {"name": curriculum.policy.name, **curriculum.policy.parameters}
        assert decided_by.items() <= arm.decided_by.items(), arm.name
        assert config.algorithm.filter_groups.enable == arm.name.startswith(("dapo", "posterior_filter"))
        assert arm.baseline == arm.name.startswith("uniform")
        assert arm.goes_on == arm.name.startswith(("uniform", "dapo"))
        assert (config.trainer.test_freq > 0) == (arm.name in ("mixture", "cumulative"))


EXPECTED = {
    **dict.fromkeys(("uniform_32x8", "uniform_16x4", "uniform_16x4_fast"), "uniform"),
    **dict.fromkeys(("uniform_16x4_slow", "uniform_8x4", "uniform_8x4_slow"), "uniform"),
    **dict.fromkeys(("dapo", "dapo_fast", "dapo_16x4", "cumulative"), "uniform"),
    **dict.fromkeys(("posterior_slow", "posterior_sharp", "posterior_8x4", "posterior_8x4_fast"), "posterior"),
    **dict.fromkeys(("posterior_admission", "posterior_filter"), "posterior"),
    "balanced": "mixture",
}


def test_what_another_process_runs_is_left_to_it(load, tmp_path):
    claimed = load("claiming").claimed
    with claimed(tmp_path / "run") as ours, claimed(tmp_path / "run") as theirs:
        assert (ours, theirs) == (True, False)
    with claimed(tmp_path / "run") as afterwards:
        assert afterwards


def test_runs_beside_end_with_the_benchmark(load, tmp_path, monkeypatch):
    said, stand_in = tmp_path / "said", tmp_path / "python"
    stand_in.write_text(
        f"#!/bin/sh\ntrap 'echo ended >> {said}; exit' TERM\necho $@ > {said}\nwhile :; do sleep 0.02; done\n"
    )
    stand_in.chmod(0o755)
    bench = load("bench_learning")
    monkeypatch.setattr(sys, "executable", str(stand_in))
    with contextlib.suppress(KeyboardInterrupt), bench.beside(["--seeds", "2"], 1):
        deadline = time.monotonic() + 60
        while not (said.exists() and said.read_text().endswith("\n")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert said.read_text() == f"{SCRIPT} --seeds 2 --at-once 1\n", "one that takes runs, and starts no more"
        raise KeyboardInterrupt
    assert said.read_text().splitlines()[-1] == "ended"


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
        drawn = {"drawn/easy": 2 * number, "drawn/hard": hard / 10}
        told = {"tokens/easy": 10, "tokens/hard": hard, "filtering_rate": share} | drawn
        metrics = {f"curriculum/{name}": value for name, value in told.items()} | {"timing_s/step": 2.0}
        return {"kind": "step", "step": number, "time": 1.0, "stage": "all", "metrics": metrics, "exit": []}

    start = {"kind": "start", "step": 0, "time": 1.0, "stage": "all", "buckets": ["easy", "hard"], "ends": {}}
    lines = [start, step(1, 30, 0.5), step(2, 99, 0.1), start | {"step": 1}, step(2, 50, 0.7), step(3, 90, 0.1)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    history = read_history(path)
    assert running._tokens(history).tolist() == [0, 40, 100, 200]
    assert running._steps_within(100, history) == [1, 2]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in [start, step(1, 30, 0.5), step(3, 90, 0.1)]))
    lost = read_history(path)
    assert running._tokens(lost).tolist() == [0, 40, 110, 210], "a kill took the line of the second step"
    assert running._informative(lost, np.full(4, True)) == pytest.approx((5 * 0.5 + 10 * 0.1) / 15)
    curve = running._curve(history, {0: {"one": 0.1}, 2: {"one": 0.4}}, 100, 7)
    assert (curve.tokens, curve.seconds) == ([0, 100], [0, 4])
    assert curve.informative == pytest.approx((5 * 0.5 + 4 * 0.7) / 9), "of the groups within the budget"
    assert curve.validation == 7


def test_another_default_of_the_policy_is_another_run(learning, tmp_path, monkeypatch):
    running, setting = learning("running"), learning("settings").SETTINGS["main"]
    task = running.Task(setting, learning("arms").read_arms()["posterior"], 0)
    task.agree(tmp_path)
    assert task.asked["policy"]["sharpness"] == 5.0
    monkeypatch.setitem(POLICIES["posterior"].__init__.__kwdefaults__, "sharpness", 6.0)
    with pytest.raises(InputError, match=r"was begun with other settings than now \(policy\)"):
        task.agree(tmp_path)


def test_tokens_of_validations_are_counted_with_the_ends_of_responses(learning, tmp_path, monkeypatch):
    from examples.demo import model

    running, setting = learning("running"), learning("settings").SETTINGS["main"]
    model.save(model.make_model(0), running.warmed_up(tmp_path, setting.family))
    task, place = running.Task(setting, learning("arms").read_arms()["mixture"], 0), tmp_path / "run"
    assert running._validated(tmp_path, task, place, 20) == 0
    (place / running.VALIDATIONS).mkdir(parents=True)
    for step, outputs in {0: ["12", ""], 10: ["7"], 30: ["1"]}.items():
        lines = [json.dumps({"input": "1+1", "output": output}) + "\n" for output in outputs]
        (place / running.VALIDATIONS / f"{step}.jsonl").write_text("".join(lines))
    assert running._validated(tmp_path, task, place, 20) == 3 + 1 + 2
    (place / running.VALIDATIONS / "10.jsonl").write_text(json.dumps({"output": "1" * 14}))
    assert running._validated(tmp_path, task, place, 20) == 3 + 1 + 14, "cut off, it has no end"


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
