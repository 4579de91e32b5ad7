"""One run of verl a stage, killed in the middle of the second: all are one training, with evaluations between."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from integration.curriculum_runs import buckets_by_question
from integration.launch_scripts import start
from integration.verl_runs import Run, tensors
from integration.verl_toy import Toy

SCRIPT = "run_cumulative_stages.sh"
RATE, STEPS = 1e-3, (1, 3, 1)
TOLD = [
    *("--steps", ",".join(map(str, STEPS)), "--output", "output"),
    f"actor_rollout_ref.actor.optim.lr={RATE}",
    "actor_rollout_ref.actor.optim.lr_scheduler_type=cosine",
    "curriculum.rollout_log=rollouts",
]


def killed_and_finished(toy: Toy, data: Path, folder: Path) -> Run:
    with start(SCRIPT, toy, data, folder, *TOLD) as running:
        running.wait_until(lambda: any(line["step"] == 2 for line in lines(folder, "step")))
        running.kill()
    with start(SCRIPT, toy, data, folder, *TOLD) as running:
        return running.wait()


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Of the metrics file, as far as it is written."""
    path = folder / "output" / "curriculum.jsonl"
    written = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [
        line for line in map(json.loads, filter(lambda text: text.endswith(b"\n"), written)) if line["kind"] == kind
    ]


def asked(folder: Path, step: int) -> set[str]:
    """The questions of a step, by the log of its rollouts."""
    logged = (folder / "rollouts" / f"rollout_{step:06d}.jsonl").read_text().splitlines()
    return {json.loads(line)["prompt"][0]["content"] for line in logged}


@pytest.mark.slow
def test_stages_are_one_training_that_a_kill_does_not_change(toy: Toy, data: Path, tmp_path: Path) -> None:
    run = killed_and_finished(toy, data, tmp_path)
    assert run.code == 0, run.explain()
    assert not run.errors, run.explain()
    output = tmp_path / "output"
    begins = [line["step"] for line in lines(tmp_path, "start")]
    assert begins in ([0, 1, 2, 4], [0, 1, 3, 4]), "verl resumed within the second stage"

    # Data: every stage draws of its buckets, and of no other.
    bucket = buckets_by_question(data)
    drawn = {step: {bucket[text] for text in asked(tmp_path, step)} for step in range(1, 6)}
    assert drawn[1] == {"easy"}
    assert drawn[2] == drawn[3] == drawn[4] == {"easy", "medium"}
    assert drawn[5] == {"easy", "medium", "hard"}

    # Weights, optimizer, learning rate and the KL term's reference, which is the first model all the time.
    metrics = {line["step"]: line["metrics"] for line in lines(tmp_path, "step")}
    assert metrics[1]["actor/kl_loss"] == 0
    assert all(metrics[step]["actor/kl_loss"] > 0 for step in range(2, 6)), "they begin with what was trained"
    rates = [metrics[step]["actor/lr"] for step in range(1, 6)]
    cosine = [RATE * (1 + math.cos(math.pi * step / sum(STEPS))) / 2 for step in range(1, 6)]
    assert rates == pytest.approx(cosine, abs=1e-9), "one schedule"
    ends = [output / folder for folder in ("01_easy/global_step_1", "02_easy_medium/global_step_4")]
    begun = [output / folder for folder in ("02_easy_medium/global_step_1", "03_easy_medium_hard/global_step_4")]
    for end, begin in zip(ends, begun, strict=True):
        taken_over = tensors(begin / "actor", "model")
        assert all(torch.equal(taken_over[name], value) for name, value in tensors(end / "actor", "model").items())
    last = output / "03_easy_medium_hard" / "global_step_5" / "actor"
    counts = {float(value) for name, value in tensors(last, "optim").items() if name.endswith(".step")}
    assert counts == {float(sum(STEPS))}, "the optimizer knows all steps"

    # Evaluations: before, and after every stage.
    report = json.loads((output / "evaluation.json").read_text())
    names = ["before", "easy", "easy_medium", "easy_medium_hard"]
    assert [model["name"] for model in report["models"]] == names
    assert {path.stem for path in (output / "evaluation.samples").glob("*.json")} == set(names)
    assert all(model["prompts"] == report["data"]["prompts"] > 0 for model in report["models"])

    # Started again, it has nothing to do.
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.name != ".lock"}
    with start(SCRIPT, toy, data, tmp_path, *TOLD) as running:
        again = running.wait()
    assert again.code == 0, again.explain()
    assert again.console.startswith("all is done: ")
    assert before == {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.name != ".lock"}
