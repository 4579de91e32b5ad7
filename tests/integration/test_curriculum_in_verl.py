"""A curriculum inside verl's own GRPO trainer on a CPU: real verl, real Ray, a tiny model, data of our own pipeline."""

import runpy
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from integration.verl_runs import Run, launch, toy_recipe, train
from integration.verl_toy import Toy, make_toy, sum_row
from made_up_rollouts import rollout, write

from curriculum_verl.bucketing.run import bucket_rollouts
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.manifest import read_manifest
from curriculum_verl.parallel import InProcess
from curriculum_verl.preprocessing.run import preprocess
from curriculum_verl.preprocessing.settings import Settings as DataSettings

BUCKETS = ("easy", "medium", "hard")
BLOCK = {
    "policy": {"name": "mixture"},
    "stages": [
        {"name": "first", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 2}},
        {
            "name": "second",
            "mix": {"easy": 0.5, "medium": 0.5},
            "rewards": {"final": 2.0},
            "exit": {"metric": "stage/steps", "at_least": 2},
        },
        {"name": "third", "mix": {"easy": 0.25, "medium": 0.25, "hard": 0.5}, "rewards": {"final": 0.5}},
    ],
}


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Toy:
    return make_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """Three buckets of sums, made by the pipeline itself; returns the manifest."""
    folder = tmp_path_factory.mktemp("data")
    lines = []
    for number in range(90):
        row = sum_row(number, number % 10, number // 10)
        passing = 4 - number // 30 * 2
        more = {"prompt": row["prompt"], "ground_truth": row["reward_model"]["ground_truth"], "data_source": "toy_add"}
        lines.append(rollout(number, [1.0] * passing + [0.0] * (4 - passing), **more))
    write(folder / "rollouts.jsonl", lines)
    bucket_rollouts([folder / "rollouts.jsonl"], folder / "bucketed", Settings(), InProcess(), report=False)
    preprocess(folder / "bucketed", folder / "data", DataSettings(train_val_split=0.8), InProcess())
    return folder / "data" / "manifest.json"


def recipe(toy: Toy, data: Path) -> dict:
    made = toy_recipe(toy)
    made["curriculum"] = BLOCK | {"data": str(data)}
    del made["data"]["train_files"], made["data"]["val_files"]
    made["trainer"] |= {"v1": {"trainer_mode": "curriculum_sync"}, "total_training_steps": 6, "test_freq": 2}
    return made


def ends_well(run: Run) -> None:
    assert run.code == 0, run.explain()
    assert not run.errors, run.explain()


def buckets_by_question(data: Path) -> dict[str, str]:
    rows = [row for name in read_manifest(data).train_files for row in pq.read_table(data.parent / name).to_pylist()]
    return {row["prompt"][0]["content"]: row["extra_info"]["curriculum_stage"] for row in rows}


def question(prompt: str) -> str:
    return prompt.split("\n")[1]


def raw_score(toy: Toy, prompt: str, response: str) -> float:
    reward = runpy.run_path(str(toy.reward))["compute_score"]
    truth = str(sum(map(int, question(prompt).removesuffix("=?").split("+"))))
    return float(reward("", response, truth)["score"])


def test_stages_switch_and_the_batch_and_the_weights_follow_at_once(tmp_path, toy, data):
    run = train(tmp_path, recipe(toy, data))
    ends_well(run)
    assert list(run.series("curriculum/stage").values()) == [0, 1, 1, 2, 2, 2]
    drawn_in = [0, 0, 1, 1, 2, 2]
    by_question = buckets_by_question(data)
    for step, stage in enumerate(drawn_in, 1):
        mix = BLOCK["stages"][stage]["mix"]
        responses = run.responses(step)
        drawn = Counter(by_question[question(prompt)] for prompt, _, _ in responses)
        for bucket in BUCKETS:
            assert drawn[bucket] / len(responses) == mix.get(bucket, 0.0)
            assert run.metrics[step][f"curriculum/share/{bucket}"] == mix.get(bucket, 0.0)
        weight = BLOCK["stages"][stage].get("rewards", {"final": 1.0})["final"]
        for prompt, response, score in responses:
            assert score == pytest.approx(weight * raw_score(toy, prompt, response), abs=1e-6)
        assert run.metrics[step]["reward/final"] == pytest.approx(
            sum(raw_score(toy, prompt, response) for prompt, response, _ in responses) / len(responses)
        )
        assert run.metrics[step]["curriculum/overhead_s"] < 1
    for bucket in BUCKETS:
        assert set(run.series(f"val-core/toy_add/{bucket}/reward/mean@1")) == {2, 4, 6}
        assert set(run.series(f"val/{bucket}")) == {2, 4, 6}


def test_a_killed_run_goes_on_with_the_prompts_responses_and_rewards_of_one_that_was_not(tmp_path, toy, data):
    saving = {"trainer.save_freq": 1}
    whole = train(tmp_path / "whole", recipe(toy, data))
    ends_well(whole)
    with launch(tmp_path / "killed", recipe(toy, data), saving) as running:
        running.wait_for_step(3)
        killed = running.kill()
    resumed = train(tmp_path / "killed", recipe(toy, data), saving)
    ends_well(resumed)
    assert 6 in resumed.metrics
    first = min(resumed.metrics)
    assert first <= max(killed.metrics) + 2
    for step in range(1, 7):
        run = killed if step < first else resumed
        assert run.responses(step) == whole.responses(step), step
        assert run.metrics[step]["curriculum/stage"] == whole.metrics[step]["curriculum/stage"]
