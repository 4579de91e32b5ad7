"""The trainer modes with a curriculum: one for each mode of verl, whose branches stay as they are."""

from collections.abc import Iterator
from contextlib import contextmanager

from verl.trainer.ppo.v1.trainer_base import register_trainer
from verl.trainer.ppo.v1.trainer_colocate_async import PPOTrainerColocateAsync
from verl.trainer.ppo.v1.trainer_separate_async import HybridEngineMode, PPOTrainerSeparateAsync
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from curriculum_verl.verl_plugin.settings import PREFIX
from curriculum_verl.verl_plugin.trainer import CurriculumMixin


@register_trainer(PREFIX + "sync")
class CurriculumSync(CurriculumMixin, PPOTrainerSync):
    """verl's synchronous trainer with a curriculum."""

    @contextmanager
    def _rollout_aside(self) -> Iterator[None]:
        self.checkpoint_manager.sleep_replicas()
        yield
        self.checkpoint_manager.update_weights(self.global_steps)


@register_trainer(PREFIX + "colocate_async")
class CurriculumColocateAsync(CurriculumMixin, PPOTrainerColocateAsync):
    """verl's colocated asynchronous trainer with a curriculum."""

    @contextmanager
    def _rollout_aside(self) -> Iterator[None]:
        self.checkpoint_manager.abort_replicas()
        self.checkpoint_manager.sleep_replicas()
        yield
        self.checkpoint_manager.update_weights(self.global_steps)
        self.checkpoint_manager.resume_generation_replicas()


@register_trainer(PREFIX + "separate_async")
class CurriculumSeparateAsync(CurriculumMixin, PPOTrainerSeparateAsync):
    """verl's disaggregated asynchronous trainer with a curriculum."""

    @contextmanager
    def _rollout_aside(self) -> Iterator[None]:
        generating = self.current_mode == HybridEngineMode.ROLLOUT
        if generating:
            self.switch_to_trainer()
        yield
        self.standalone_checkpoint_manager.update_weights(self.global_steps)
        if generating:
            self.switch_to_rollout()
