"""A curriculum inside verl's own GRPO trainer: stages switch, and a killed run goes on as if it had not been."""

import json
import random
import runpy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.curriculum_runs import (
    BLOCK,
    BUCKETS,
    buckets_by_question,
    curriculum_recipe,
    ends_well,
    events,
    question,
)
from integration.verl_runs import DIFFERENCE, Run, launch, train
from integration.verl_toy import Toy
from runs.receiver import Receiver, receiving

DRAWN_IN = [0, 0, 1, 1, 2, 2]
LOGGED = ["id", "response", "reward", "weights", "stage", "bucket", "weighted_reward"]
EXACT = ["curriculum/stage", "actor/pg_loss", "actor/grad_norm", "reward/final", *(f"val/{name}" for name in BUCKETS)]


ALERTS = [
    {"name": "in time", "metric": "actor/grad_norm", "at_least": 0.0},
    {"name": "filter", "metric": "curriculum/filtering_rate", "at_least": 0.0, "window": 2, "repeat": 3},
    {"name": "late", "metric": "response_length/mean", "above": 0.0},
]


@pytest.fixture(scope="module")
def posted() -> Iterator[Receiver]:
    """What the run without a pause posts."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def whole(toy, data, posted, tmp_path_factory) -> Run:
    """Six steps without a pause."""
    folder = tmp_path_factory.mktemp("whole")
    block = {"rollout_log": str(folder / "log"), "alerts": ALERTS, "webhook": posted.address}
    return train(folder, curriculum_recipe(toy, data, **block))


def raw_score(toy: Toy, prompt: str, response: str) -> float:
    reward = runpy.run_path(str(toy.reward))["compute_score"]
    truth = str(sum(map(int, question(prompt).removesuffix("=?").split("+"))))
    return float(reward("", response, truth)["score"])


def test_stages_switch_and_the_very_next_batch_has_the_new_mix(whole, data):
    ends_well(whole)
    assert list(whole.series("curriculum/stage").values()) == [0, 1, 1, 2, 2, 2]
    assert list(whole.series("curriculum/stage/second").values()) == [0, 1, 1, 0, 0, 0]
    by_question = buckets_by_question(data)
    for step, stage in enumerate(DRAWN_IN, 1):
        drawn = Counter(by_question[question(prompt)] for prompt, _, _ in whole.responses(step))
        for bucket in BUCKETS:
            share = BLOCK["stages"][stage]["mix"].get(bucket, 0.0)
            assert drawn[bucket] == share * 8 * 4
            assert whole.metrics[step][f"curriculum/share/{bucket}"] == share


def test_the_rollout_has_the_weights_of_the_actor(whole):
    differences = whole.series(DIFFERENCE)
    assert len(differences) == 6
    assert max(differences.values()) < 1e-6


def test_a_response_is_weighed_by_the_stage_its_prompt_was_drawn_in(whole, toy):
    for step, stage in enumerate(DRAWN_IN, 1):
        weight = BLOCK["stages"][stage].get("rewards", {"final": 1.0})["final"]
        raw = [(raw_score(toy, prompt, response), score) for prompt, response, score in whole.responses(step)]
        assert all(score == pytest.approx(weight * found, abs=1e-6) for found, score in raw)
        assert whole.metrics[step]["reward/final"] == pytest.approx(sum(found for found, _ in raw) / len(raw))


def test_validation_is_told_by_bucket_and_what_happened_is_in_the_metrics_file(whole):
    for bucket in BUCKETS:
        assert set(whole.series(f"val-core/toy_add/{bucket}/reward/mean@1")) == {2, 4, 6}
        assert set(whole.series(f"val/{bucket}")) == {2, 4, 6}
    assert [(line["step"], line["source"], line["target"]) for line in events(whole, "advance")] == [
        (2, "first", "second"),
        (4, "second", "third"),
    ]
    assert [line["step"] for line in events(whole, "validation")] == [2, 4, 6]
    assert [line["step"] for line in events(whole, "start", "end")] == [0, 6]
    steps = events(whole, "step")
    assert [(line["step"], line["stage"]) for line in steps[1:5]] == [
        (2, "second"),
        (3, "second"),
        (4, "third"),
        (5, "third"),
    ]
    assert steps[2]["metrics"]["actor/grad_norm"] == pytest.approx(whole.metrics[3]["actor/grad_norm"])
    assert whole.metrics[2]["curriculum/event/advance"] == 1.0
    for step in range(1, 7):
        assert whole.metrics[step]["curriculum/overhead_s"] < 1
        assert 0 <= whole.metrics[step]["curriculum/train/informative"] <= 1


def test_alerts_see_verls_own_metrics_and_are_told_everywhere(whole, posted):
    told = [(line["step"], line["name"]) for line in events(whole, "alert")]
    assert told == [(1, "in time"), (2, "filter"), (2, "late"), (5, "filter")], "one is known after its step alone"
    for step, name in told:
        assert whole.metrics[step][f"curriculum/event/alert/{name}"] == 1.0
    assert "alert in time in stage first: actor/grad_norm at_least 0" in whole.console
    messages = [posted.posted.get_nowait() for _ in range(posted.posted.qsize())]
    assert [(m["step"], m["kind"]) for m in messages] == [
        (1, "alert"),
        (2, "advance"),
        (2, "alert"),
        (2, "alert"),
        (4, "advance"),
        (5, "alert"),
    ]
    assert {m["run"] for m in messages} == {str(whole.folder / "checkpoints")}


def test_every_stage_has_a_checkpoint_by_its_name(whole):
    kept = sorted(
        path.relative_to(whole.folder / "checkpoints") for path in whole.folder.glob("checkpoints/stages/*/*")
    )
    assert kept == [Path("stages/01_second/global_step_2"), Path("stages/02_third/global_step_4")]
    for folder in kept:
        assert (whole.folder / "checkpoints" / folder / "curriculum.json").is_file()
        assert list((whole.folder / "checkpoints" / folder / "actor").glob("model_*.pt"))


def rollouts(run: Run, step: int) -> list[list]:
    """What was drawn, generated and rewarded in a step, as the rollout log has it."""
    lines = (run.folder / "log" / f"rollout_{step:06d}.jsonl").read_text().splitlines()
    return sorted([line[name] for name in LOGGED] for line in map(json.loads, lines))


def trained(metrics: dict[int, dict]) -> list[int]:
    """The steps whose training was told; a validation or an event alone is none."""
    return [step for step, values in metrics.items() if "actor/grad_norm" in values]


def test_a_run_killed_at_a_random_step_goes_on_as_one_that_was_not(tmp_path, toy, data, whole):
    killed_after = random.SystemRandom().randrange(1, 6)  # `make torture` kills more often
    recipe = curriculum_recipe(toy, data, rollout_log=str(tmp_path / "log"))
    with launch(tmp_path, recipe, {"trainer.save_freq": 1}) as running:
        running.wait_until(lambda: max(trained(running.metrics()), default=0) >= killed_after)
        runs = [running.kill()]
    runs.append(train(tmp_path, recipe, {"trainer.save_freq": 1}))
    ends_well(runs[-1])
    for step in range(1, 7):
        assert rollouts(runs[-1], step) == rollouts(whole, step), (killed_after, step)
        for run in runs:  # one that is killed between checkpoint and log never tells of that step, or not of all
            for name in set(EXACT) & run.metrics.get(step, {}).keys():
                assert run.metrics[step][name] == whole.metrics[step][name], (killed_after, step, name)
    validated = {step for run in runs for step in run.series("val/easy")}
    assert validated == {2, 4, 6}, "none left out, and none more"
    told = [(line["step"], line["target"]) for line in events(runs[-1], "advance")]
    assert set(told) == {(2, "second"), (4, "third")}, killed_after
