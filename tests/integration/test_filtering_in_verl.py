"""The curriculum beside verl's DAPO filter: dropped groups teach it, hopeless prompts are skipped, a run ends early."""

import json

import pytest
from integration.curriculum_runs import curriculum_recipe, ends_well, events, logged
from integration.verl_runs import Run, train

from curriculum_verl.bucketing.run import bucket_rollouts
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.parallel import InProcess

pytestmark = pytest.mark.slow

# Every second sum is hopeless whatever the model says, so its group has no signal.
HOPELESS = '''"""Odd truths are never reached."""

import zlib


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    return 0.0 if int(ground_truth) % 2 else (zlib.crc32(solution_str.encode()) % 100) / 100
'''
STAGES = [{"name": "only", "mix": {"easy": 0.5, "hard": 0.5}}]


@pytest.fixture(scope="module")
def run(toy, data, tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("filtering")
    (folder / "reward.py").write_text(HOPELESS)
    block = {
        "stages": STAGES,
        "admission": {"retry_after": 100, "min_chance": 0.01},
        "group_size": {"hard": 2},
        "rollout_log": str(folder / "rollouts"),
        "stop": {"metric": "run/steps", "at_least": 4},
    }
    overrides = {
        "reward.custom_reward_function.path": str(folder / "reward.py"),
        "algorithm.filter_groups.enable": True,
        "algorithm.filter_groups.metric": "reward",
        "trainer.total_training_steps": 50,
        "trainer.save_freq": 3,
        "trainer.test_freq": 3,
    }
    return train(folder / "run", curriculum_recipe(toy, data, **block), overrides)


def test_the_filter_drops_groups_without_a_signal_and_the_curriculum_knows_of_them(run):
    ends_well(run)
    dropped = run.series("training/filter_groups/evicted_samples")
    surplus = run.series("training/filter_groups/discarded_surplus_samples")
    assert dropped[1] > 0
    for step in range(1, 5):
        trained = {prompt for prompt, _, _ in run.responses(step)} - {""}  # which only pads the batch
        assert len(trained) == 8
        lines = logged(run, step)
        assert len(lines) == 8 + dropped.get(step, 0) + surplus.get(step, 0), "those that were dropped are there too"
        signal = [len(set(line["reward"])) > 1 for line in lines]
        assert run.metrics[step]["curriculum/filtering_rate"] == pytest.approx(sum(signal) / len(signal))


def test_prompts_that_were_hopeless_are_not_drawn_again(run):
    hopeless: set[str] = set()
    again = drawn = 0
    for step in range(1, 5):
        ids = [(line["id"], len(set(line["reward"])) == 1) for line in logged(run, step)]
        drawn += len(ids)
        again += sum(prompt in hopeless for prompt, _ in ids)
        hopeless |= {prompt for prompt, without_signal in ids if without_signal}
    assert len(hopeless) > 10
    assert again <= drawn * 0.1, "there are as many hopeless prompts as others"


def test_buckets_have_groups_of_their_own_size(run):
    sizes = {(line["bucket"], len(line["response"])) for step in range(1, 5) for line in logged(run, step)}
    assert sizes == {("easy", 4), ("hard", 2)}


def test_the_run_ends_when_the_curriculum_says_so_with_a_checkpoint_and_a_validation(run):
    assert max(run.metrics) == 4
    [stop] = events(run, "stop")
    assert (stop["step"], "run/steps at_least 4" in stop["reason"]) == (4, True)
    assert (run.folder / "checkpoints" / "latest_checkpointed_iteration.txt").read_text() == "4"
    assert (run.folder / "checkpoints" / "global_step_4" / "actor").is_dir()
    assert set(run.series("val/easy")) == {3, 4}


def test_the_rollout_log_can_be_bucketed_again(run, tmp_path):
    files = sorted((run.folder.parent / "rollouts").glob("*.jsonl"))
    bucket_rollouts(files, tmp_path / "again", Settings(on_duplicate="merge"), InProcess(), report=False)
    manifest = json.loads((tmp_path / "again" / "manifest.json").read_text())
    prompts = {line["id"] for step in range(1, 5) for line in logged(run, step)}
    assert sum(bucket["prompts"] for bucket in manifest["buckets"]) == len(prompts)
