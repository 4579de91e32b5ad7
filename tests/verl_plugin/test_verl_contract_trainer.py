"""What trainer, store and reward manager rely on in verl without verl promising it; read with verl 0.9.0 and 0.9.1.

Each test names the file that must learn what a new version does. The CPU has its own in test_verl_contract.py.
"""

import inspect
import warnings
from importlib.metadata import version

import pytest

pytest.importorskip("verl")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import verl.trainer.main_ppo as main_ppo
    import verl.trainer.ppo.v1.agent_loop_tq as agent_loop_tq
    import verl.trainer.ppo.v1.replay_buffer as replay_buffer
    import verl.trainer.ppo.v1.trainer_base as trainer_base
    import verl.utils.config as config
    from verl.checkpoint_engine import CheckpointEngineManager
    from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager
    from verl.trainer.ppo.utils import Role
    from verl.trainer.ppo.v1.trainer_colocate_async import PPOTrainerColocateAsync
    from verl.trainer.ppo.v1.trainer_separate_async import HybridEngineMode, PPOTrainerSeparateAsync
    from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
    from verl.utils.checkpoint.checkpoint_manager import BaseCheckpointManager
    from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager
    from verl.utils.tracking import Tracking, _TensorboardAdapter

VERL = f"verl {version('verl')} is not as 0.9.1 was: "
PPOTrainer = trainer_base.PPOTrainer


def source(thing: object) -> str:
    return inspect.getsource(thing)  # type: ignore[arg-type]


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def in_order(text: str, *parts: str) -> bool:
    """Whether the parts stand in the text one after the other."""
    position = 0
    for part in parts:
        position = text.find(part, position)
        if position < 0:
            return False
    return True


def test_the_methods_that_the_mixin_extends() -> None:
    """trainer.py, validating.py, checkpoints.py: each is there, and is called with these arguments."""
    for name in ("_init_dataloader", "_load_checkpoint", "_save_checkpoint", "on_train_begin", "on_train_end"):
        assert parameters(getattr(PPOTrainer, name)) == ["self"], VERL + name
    for name in ("on_step_end", "_validate", "_build_replay_buffer", "on_validate_begin", "on_validate_end"):
        assert parameters(getattr(PPOTrainer, name)) == ["self"], VERL + name
    assert parameters(PPOTrainer._compute_advantage) == ["self", "batch", "metrics"], VERL
    assert 'data.batch["token_level_scores"] = data.batch["rm_scores"]' in source(PPOTrainer._compute_advantage), VERL
    assert parameters(PPOTrainer.step) == ["self", "metrics", "timing_raw"], VERL
    assert parameters(PPOTrainer._compute_metrics)[:4] == ["self", "batch", "metrics", "timing_raw"], VERL
    expected = ["self", "data_sources", "sample_uids", "reward_extra_infos_dict", "sample_turns"]
    assert parameters(PPOTrainer._val_metrics_update)[:5] == expected, VERL


def test_the_order_of_a_step() -> None:
    """trainer.py: feedback before the checkpoint, weights before the validation, metrics before it is cleared."""
    fit = source(PPOTrainer.fit)
    order = ["self.step(", "self._save_checkpoint()", "self.on_step_end()", "self._consume_sync_metrics()"]
    order += [
        "self._validate()",
        "self._compute_metrics(",
        "tq.kv_clear(",
        "self.logger.log(",
        "self.global_steps += 1",
    ]
    assert in_order(fit[fit.index("while ") :], *order), VERL
    assert in_order(fit, "self._reissue_inflight_prompts()", "self.on_train_begin()", "while "), VERL
    assert in_order(fit, "self.global_steps += 1", "self.on_train_begin()"), VERL + "fit() no longer counts ahead"


def test_a_lower_number_of_steps_ends_the_loop() -> None:
    """trainer.py: how curriculum.stop ends a run, and that verl then only calls on_train_end."""
    fit = source(PPOTrainer.fit)
    assert "self.global_steps <= self.total_training_steps" in fit, VERL
    assert in_order(fit, "is_last_step = ", "self.step(", "if is_last_step:", "return", "self.on_train_end()"), VERL


def test_sync_metrics_can_be_added_to() -> None:
    """validating.py: metrics of a validation on demand reach the log of their step."""
    assert "_pending_sync_metrics" in source(PPOTrainer._consume_sync_metrics), VERL


def test_modes_are_compared_by_name() -> None:
    """trainer.py: why the mixin gives the mode its own name back; each comparison takes a branch."""
    text = source(trainer_base)
    assert text.count('self.trainer_mode != "sync"') + text.count('self.trainer_mode == "sync"') >= 6, VERL
    assert "self.trainer_mode = self.config.trainer.v1.trainer_mode" in text, VERL
    assert "get_trainer_cls(config.trainer.v1.trainer_mode)" in source(main_ppo), VERL


def test_the_rollout_is_put_aside_and_brought_back_as_each_mode_does() -> None:
    """modes.py, _rollout_aside: the calls that each mode itself makes around an update."""
    for name in ("sleep_replicas", "abort_replicas", "resume_generation_replicas", "update_weights"):
        assert callable(getattr(CheckpointEngineManager, name)), VERL + name
    assert "self.checkpoint_manager.sleep_replicas()" in source(PPOTrainerSync.on_sample_end), VERL
    assert "self.checkpoint_manager.update_weights(self.global_steps)" in source(PPOTrainerSync.on_step_end), VERL
    colocated = source(PPOTrainerColocateAsync)
    assert in_order(colocated, "abort_replicas()", "sleep_replicas()"), VERL
    assert in_order(colocated, "update_weights(self.global_steps)", "resume_generation_replicas()"), VERL
    for name in ("switch_to_trainer", "switch_to_rollout"):
        assert callable(getattr(PPOTrainerSeparateAsync, name)), VERL + name
    assert "self.current_mode = HybridEngineMode.ROLLOUT" in source(PPOTrainerSeparateAsync._setup), VERL
    assert "self.standalone_checkpoint_manager.update_weights(self.global_steps)" in source(PPOTrainerSeparateAsync), (
        VERL
    )
    assert {mode.name for mode in HybridEngineMode} == {"TRAINER", "ROLLOUT"}, VERL


def test_a_checkpoint_is_loaded_by_the_worker_groups() -> None:
    """checkpoints.py, _restore: the same two calls as verl's own resume."""
    text = source(PPOTrainer._load_checkpoint)
    assert 'local_path=os.path.join(global_step_folder, "actor")' in text, VERL
    assert "local_path=os.path.join(global_step_folder, str(Role.Critic))" in text, VERL
    assert "del_local_after_load=" in text, VERL
    assert str(Role.Critic) == "critic", VERL


def test_a_checkpoint_is_marked_when_all_of_it_is_there() -> None:
    """checkpoints.py, _save_checkpoint: the curriculum's state is written before, in the folder that verl makes."""
    text = source(PPOTrainer._save_checkpoint)
    assert in_order(text, 'f"global_step_{self.global_steps}"', "latest_checkpointed_iteration.txt", "f.write("), VERL


def test_verl_removes_every_checkpoint_that_it_saved() -> None:
    """runs/stage_checkpoints.py: why stages are kept under other names instead of being saved there by verl."""
    assert "self.previous_saved_paths.append(new_path)" in source(BaseCheckpointManager.register_checkpoint), VERL


def test_files_of_a_checkpoint_with_lora() -> None:
    """adapter.py: where ranks and alpha stand, and how shards are named."""
    text = source(FSDPCheckpointManager)
    assert '"lora_train_meta.json"' in text, VERL
    assert 'f"model_world_size_{self.world_size}_rank_{self.rank}.pt"' in text, VERL
    assert '{"r": lora_rank, "lora_alpha": lora_alpha, "task_type":' in text, VERL


def test_dropped_groups_are_cleared_in_one_place() -> None:
    """store.py: every group that the filter drops goes through it while its data is still in the store."""
    buffer = replay_buffer.ReplayBuffer
    assert parameters(buffer._clear_groups) == ["self", "partition_id", "uids"], VERL
    assert "self._clear_groups(partition_id, evicted_uids)" in source(buffer._evict_terminal_groups), VERL
    assert "self._clear_groups(partition_id, surplus_uids)" in source(buffer.sample), VERL
    assert 'key.split("_")[0] in uids' in source(buffer._clear_groups), VERL + "keys are no longer uid_session_number"


def test_what_a_trajectory_in_the_store_has() -> None:
    """store.py, rollout_log.py: prompts' own fields are stored with each response, lengths in its tags."""
    text = source(agent_loop_tq)
    assert "field.update(kwargs)" in text, VERL
    assert '"response_len": response_len' in text, VERL
    assert '"is_padding"' in source(trainer_base), VERL
    for name in ("rm_scores", "extra_fields", "num_turns", "reward_model"):
        assert f'"{name}"' in source(trainer_base), VERL + name


def test_a_prompt_may_have_its_own_number_of_responses() -> None:
    """tickets.py: the field that curriculum.group_size sets."""
    assert 'prompt.pop("__rollout_n__"' in source(agent_loop_tq), VERL


def test_the_config_is_validated_before_ray_starts() -> None:
    """entry.py: main_ppo takes validate_config from verl.utils.config, and calls it before run_ppo."""
    assert "from verl.utils.config import validate_config" in source(main_ppo), VERL
    assert in_order(source(main_ppo.main), "validate_config(", "run_ppo("), VERL
    assert parameters(config.validate_config)[0] == "config", VERL
    assert main_ppo.validate_config.__module__ == "curriculum_verl.verl_plugin.entry", "ours is the one it calls"


def test_blocking_rewards_run_in_the_loops_executor() -> None:
    """time_limit.py: what is limited there runs in the default executor of self.loop."""
    text = source(NaiveRewardManager.run_single)
    assert text.count("self.loop.run_in_executor(") == 2, VERL
    assert "self.compute_score(" in text, VERL


def test_trackers_that_take_text() -> None:
    """reporting.py: log() with chosen backends, and TensorBoard's writer, whose add_scalar takes no text."""
    assert parameters(Tracking.log) == ["self", "data", "step", "backend"], VERL
    assert "self.writer.add_scalar(" in source(_TensorboardAdapter.log), VERL
