"""A switch that hurts is taken back: data, model and optimizer, with LoRA and KL against the reference."""

import json

import pytest
import torch
from integration.curriculum_runs import BY_BUCKET, curriculum_recipe, ends_well, events
from integration.verl_runs import DIFFERENCE, Run, tensors, train

STAGES = [
    {"name": "first", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 3}},
    {"name": "second", "mix": {"easy": 0.5, "medium": 0.5}},
]
# Saves model and optimizer as they really are, right after the rollback.
WITNESS = """
from curriculum_verl.verl_plugin.importing import when_imported


def watch(module):
    restore = module.CurriculumMixin._restore

    def restore_and_save(self, decision):
        folder = restore(self, decision)
        if folder is not None:
            self.actor_rollout_wg.save_checkpoint(str(self._root / "seen"), None, self.global_steps)
            (self._root / "seen").rename(self._root / "witness")  # verl would remove it with its own
        return folder

    module.CurriculumMixin._restore = restore_and_save


when_imported("curriculum_verl.verl_plugin.trainer", watch)
"""


@pytest.fixture(scope="module")
def run(toy, data, tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("rollback")
    (folder / "reward.py").write_text(BY_BUCKET)
    (folder / "witness.py").write_text(WITNESS)
    rollback = {"threshold": -0.1, "restore": "weights", "interval_factor": 2.0}
    recipe = curriculum_recipe(toy, data, stages=STAGES, rollback=rollback)
    overrides = {
        "reward.custom_reward_function.path": str(folder / "reward.py"),
        "actor_rollout_ref.model.lora_rank": 4,
        "actor_rollout_ref.model.lora_alpha": 8,
        "actor_rollout_ref.actor.optim.lr": 1e-2,
        "actor_rollout_ref.actor.use_kl_loss": True,
        "trainer.max_actor_ckpt_to_keep": 1,
        "trainer.save_freq": 1,
    }
    env = {"VERL_USE_EXTERNAL_MODULES": "witness", "PYTHONPATH": str(folder)}
    return train(folder / "run", recipe, overrides, env=env)


def test_the_drop_is_seen_and_the_stage_taken_back(run):
    ends_well(run)
    assert list(run.series("curriculum/stage").values()) == [0, 0, 1, 0, 0, 0]
    [rollback] = events(run, "rollback")
    assert (rollback["step"], rollback["source"], rollback["target"]) == (4, "second", "first")
    assert rollback["after"] - rollback["before"] == pytest.approx(-0.5)
    assert "is below -0.1" in rollback["reason"]
    assert run.metrics[4]["curriculum/event/rollback"] == 1.0
    assert "curriculum, step 4: rollback from second to first" in run.console
    assert list(run.series("curriculum/interval").values())[2:5] == [1, 2, 2], "looks at the exit half as often"


def test_model_and_optimizer_are_those_of_the_stages_start(run):
    checkpoints = run.folder / "checkpoints"
    kept = checkpoints / "stages" / "01_second" / "global_step_3" / "actor"
    for kind in ("model", "optim"):
        before, after = tensors(kept, kind), tensors(checkpoints / "witness", kind)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before), kind
    again = checkpoints / "stages" / "00_first" / "global_step_4" / "actor"
    assert all(torch.equal(tensor, tensors(again, "model")[name]) for name, tensor in tensors(kept, "model").items())


def test_training_goes_on_from_there_with_the_rollout_in_step(run):
    checkpoints = run.folder / "checkpoints"
    lora = [name for name in tensors(checkpoints / "witness", "model") if "lora_B" in name]
    last = tensors(checkpoints / "global_step_6" / "actor", "model")
    assert any(not torch.equal(last[name], tensors(checkpoints / "witness", "model")[name]) for name in lora)
    assert max(run.series(DIFFERENCE).values()) < 1e-5


def test_stage_checkpoints_outlive_the_ones_that_verl_removes(run):
    checkpoints = run.folder / "checkpoints"
    assert [path.parent.name for path in checkpoints.glob("global_step_*/actor")] == ["global_step_6"]
    stages = {
        path.parents[1].relative_to(checkpoints / "stages").as_posix()
        for path in checkpoints.glob("stages/*/*/actor/model*")
    }
    assert stages == {"01_second/global_step_3", "00_first/global_step_4"}


def test_the_adapter_alone_is_kept_as_peft_loads_it(run, toy):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = run.folder / "checkpoints" / "stages" / "01_second" / "global_step_3"
    config = json.loads((folder / "lora_adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(toy.model), folder / "lora_adapter")
    loaded = {name: tensor for name, tensor in model.state_dict().items() if ".lora_" in name}
    saved = {name: tensor for name, tensor in tensors(folder / "actor", "model").items() if ".lora_" in name}
    assert loaded.keys() == saved.keys()
    assert all(torch.equal(loaded[name], saved[name]) for name in saved)
    assert any(tensor.abs().max() > 0 for name, tensor in loaded.items() if ".lora_B" in name), "it was trained"
