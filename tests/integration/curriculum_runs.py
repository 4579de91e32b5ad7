"""Curriculum runs for tests: data of our own pipeline in three buckets, and a recipe of three stages."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from integration.verl_runs import Run, launch, toy_recipe, train
from integration.verl_toy import Toy, sum_row
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
            "exit": {"metric": "val/score", "at_least": 0.0},  # the first validation after it began
        },
        {"name": "third", "mix": {"easy": 0.25, "medium": 0.25, "hard": 0.5}, "rewards": {"final": 0.5}},
    ],
}
# Easy prompts pass and others never do, whatever the model says; the rest is what the model can learn from.
BY_BUCKET = '''"""A score that falls when harder buckets come."""

import zlib


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    passes = extra_info["curriculum_stage"] == "easy"
    return 0.6 * passes + 0.4 * (zlib.crc32(solution_str.encode()) % 100) / 100
'''


def make_data(folder: Path) -> Path:
    """Three buckets of sums, 24 prompts each, made by the pipeline itself; returns the manifest."""
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


def curriculum_recipe(toy: Toy, data: Path, **block: Any) -> dict[str, Any]:
    """Six steps of the three stages, or of another block; files and reward manager are left to the plug-in."""
    made = toy_recipe(toy)
    made["curriculum"] = BLOCK | {"data": str(data)} | block
    del made["data"]["train_files"], made["data"]["val_files"]
    made["trainer"] |= {"v1": {"trainer_mode": "curriculum_sync"}, "total_training_steps": 6, "test_freq": 2}
    return made


def ends_well(run: Run) -> None:
    """It ended by itself, and no log tells of an error."""
    assert run.code == 0, run.explain()
    assert not run.errors, run.explain()


def buckets_by_question(data: Path) -> dict[str, str]:
    """The bucket of every training prompt, by its text."""
    rows = [row for name in read_manifest(data).train_files for row in pq.read_table(data.parent / name).to_pylist()]
    return {row["prompt"][0]["content"]: row["extra_info"]["curriculum_stage"] for row in rows}


def question(prompt: str) -> str:
    """The question in a prompt as verl dumps it."""
    return prompt.split("\n")[1]


def events(run: Run, *kinds: str) -> list[dict[str, Any]]:
    """Lines of the metrics file of these kinds."""
    lines = (run.folder / "checkpoints" / "curriculum.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["kind"] in kinds]


def killed_and_resumed(folder: Path, recipe: dict[str, Any], overrides: dict[str, Any], after: int) -> list[Run]:
    """The same run twice: killed after a step, and to the end; its rollouts are logged beside its folder."""
    recipe["curriculum"]["rollout_log"] = str(folder / "rollouts")
    with launch(folder / "run", recipe, overrides) as running:
        running.wait_for_step(after)
        killed = running.kill()
    return [killed, train(folder / "run", recipe, overrides)]


def logged(run: Run, step: int) -> list[dict[str, Any]]:
    """The rollouts of a step, a line for each prompt, as they are logged beside the run's folder."""
    path = run.folder.parent / "rollouts" / f"rollout_{step:06d}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]
