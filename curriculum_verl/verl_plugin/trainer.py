"""verl's V1 trainers with a curriculum: one registered mode for each mode of verl, whose branches stay as they are."""

import logging
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.trainer.ppo.utils import Role
from verl.trainer.ppo.v1.trainer_base import PPOTrainer, register_trainer
from verl.trainer.ppo.v1.trainer_colocate_async import PPOTrainerColocateAsync
from verl.trainer.ppo.v1.trainer_separate_async import HybridEngineMode, PPOTrainerSeparateAsync
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils.dataset.rl_dataset import collate_fn

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.curriculum.decisions import Decision
from curriculum_verl.curriculum.tracker import Rate
from curriculum_verl.verl_plugin.adapter import FOLDER, export_adapter
from curriculum_verl.verl_plugin.feedback import Trajectory, gather, refuse_failures
from curriculum_verl.verl_plugin.reporting import Reporter
from curriculum_verl.verl_plugin.rollout_log import RolloutLog
from curriculum_verl.verl_plugin.settings import PREFIX, engine_block, plugin_settings
from curriculum_verl.verl_plugin.stage_checkpoints import (
    IN_FLIGHT,
    STATE,
    keep_checkpoint,
    require_checkpoint,
    stage_folder,
    unshare,
)
from curriculum_verl.verl_plugin.store import TRAIN, before_clearing, read_trajectories
from curriculum_verl.verl_plugin.tickets import CurriculumSampler, TicketedDataset
from curriculum_verl.verl_plugin.validation import BUCKET, bucket_scores, by_bucket

logger = logging.getLogger(__name__)


class CurriculumMixin(PPOTrainer):
    """Draws prompts by the curriculum, tells it what came of them, and does what it decides.

    Feedback is given in `step`, before verl writes the checkpoint of that step; what a validation decides comes after
    it, and a resumed run makes up for a validation that its checkpoint still owed.
    """

    def __init__(self, config: DictConfig):
        # verl compares the mode by its name in many places, so from here on it must be verl's own.
        with open_dict(config):
            config.trainer.v1.trainer_mode = config.trainer.v1.trainer_mode.removeprefix(PREFIX)
        self._unused: list[Trajectory] = []  # generated and scored, but not trained on
        self._weights = 0  # counts updates of the rollout's weights: one validation for each is enough
        self._validated: tuple[int, dict[str, float]] | None = None
        self._scores: dict[str, Rate] = {}
        self._owes_validation = False
        self._resumed = False
        self._saved_step = 0
        super().__init__(config)

    @abstractmethod
    def _rollout_aside(self) -> AbstractContextManager[None]:
        """The rollout gives its memory to the trainer; afterwards it has the weights that the trainer has then."""

    @property
    def _root(self) -> Path:
        return Path(self.config.trainer.default_local_dir)

    def _build_replay_buffer(self) -> Any:
        buffer = super()._build_replay_buffer()
        before_clearing(buffer, self._take_unused)
        return buffer

    def _take_unused(self, trajectories: list[Trajectory]) -> None:
        self._rollout_log.collect(trajectories, TRAIN)
        self._unused += trajectories

    def _init_dataloader(self) -> None:
        super()._init_dataloader()
        self.settings = plugin_settings(self.config)
        self.curriculum = Curriculum.from_config({"curriculum": engine_block(self.config)})
        size = self.config.data.get("gen_batch_size", None) or self.config.data.train_batch_size
        self._sampler = CurriculumSampler(self.curriculum, size)
        self.train_dataloader = StatefulDataLoader(
            dataset=TicketedDataset(
                self.train_dataset, self.settings.group_size, self.config.actor_rollout_ref.rollout.n
            ),
            batch_size=size,
            num_workers=0,  # workers would draw ahead, and a switch of stage would lag
            drop_last=True,
            collate_fn=collate_fn,
            sampler=self._sampler,
        )
        self._reporter = Reporter(Path(self.settings.metrics_file or self._root / "curriculum.jsonl"), self.curriculum)
        self._rollout_log = RolloutLog(self.settings.rollout_log, self.tokenizer)

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        if self.global_steps:
            self._resumed, self._saved_step = True, self.global_steps
            self._resume(self._loaded_from() / STATE)
        self._reporter.begin(self.global_steps)

    def _resume(self, state: Path) -> None:
        force = self.settings.resume == "force"
        if force and not state.exists():
            logger.warning("%s: is not there: the curriculum begins anew at step %d", state, self.global_steps)
            return
        for difference in self.curriculum.load(state, force=force):
            logger.warning("the resumed curriculum differs: %s", difference)
        if self.curriculum.stopped:
            self.total_training_steps = self.global_steps

    def _loaded_from(self) -> Path:
        if self.config.trainer.resume_mode == "resume_path":
            return Path(self.config.trainer.resume_from_path)
        return self._root / f"global_step_{self.global_steps}"

    def on_train_begin(self) -> None:
        """Before anything is drawn: the validation that a resumed run still owes, if verl has made none."""
        if self._resumed and self._validation_is_due():
            with self._last_step():
                self.logger.log(data=self._validate_now(), step=self.global_steps)
        super().on_train_begin()

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> Any:
        """One step of verl, then the curriculum's view of it."""
        batch = super().step(metrics, timing_raw)
        began = time.perf_counter()
        trained = read_trajectories(batch)
        feedback = gather([*trained, *self._unused])
        self._unused.clear()
        refuse_failures(feedback, self.settings.most_reward_failures)
        decision = self.curriculum.observe(
            self.global_steps,
            feedback.rows,
            feedback.rewards,
            passed=feedback.passed,
            stages=feedback.stages,
            metrics=feedback.components,
        )
        metrics["curriculum/reward_failures"] = len(feedback.failures)
        metrics |= feedback.components | {f"curriculum/{name}": value for name, value in feedback.usage.items()}
        metrics |= self._follow(decision)
        metrics["curriculum/overhead_s"] = time.perf_counter() - began + self._sampler.take_seconds()
        self._rollout_log.collect(trained, batch.partition_id)
        self._rollout_log.write(self.global_steps)
        if _begins_stage(decision):  # before verl's own, which would already be in the new stage without it
            self._keep_stage()
        return batch

    def _save_checkpoint(self) -> None:
        if self._saved_step == self.global_steps:
            return
        folder = self._root / f"global_step_{self.global_steps}"
        unshare(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.curriculum.save(folder / STATE)  # first: verl marks a checkpoint as the latest when all of it is there
        super()._save_checkpoint()
        self._saved_step = self.global_steps

    def on_step_end(self) -> None:
        """After the rollout has the new weights: a validation, if the curriculum waits for one."""
        super().on_step_end()
        self._weights += 1
        if self._owes_validation:
            metrics = self._validate_now()
            self._pending_sync_metrics = {**(getattr(self, "_pending_sync_metrics", None) or {}), **metrics}

    def _validate_now(self) -> dict[str, float]:
        self.on_validate_begin()
        metrics = self._validate()
        self.on_validate_end()
        return metrics

    def _validate(self) -> dict[str, float]:
        """verl's validation, once for the same weights, and what the curriculum makes of it."""
        if self._validated is not None and self._validated[0] == self._weights:
            return self._validated[1]
        metrics: dict[str, float] = super()._validate()
        before_training, self._resumed = self._resumed, False
        if not before_training or self._validation_is_due():
            decision = self.curriculum.evaluate(self.global_steps, self._scores)
            metrics |= self._follow(decision)
            if _begins_stage(decision):
                with self._rollout_aside():
                    self._keep_stage(self._restore(decision))
        self._validated = self._weights, metrics
        return metrics

    def _validation_is_due(self) -> bool:
        """Whether a resumed curriculum was still to hear of a validation at this step."""
        every = self.config.trainer.test_freq
        scheduled = every > 0 and self.global_steps % every == 0
        return self.curriculum.awaits_validation or (scheduled and self.curriculum.validated_step < self.global_steps)

    def _val_metrics_update(
        self,
        data_sources: list[str],
        sample_uids: list[str],
        reward_extra_infos_dict: Mapping[str, list[Any]],
        *args: Any,
        **kwargs: Any,
    ) -> dict[str, float]:
        infos = dict(reward_extra_infos_dict)
        metrics: dict[str, float] = super()._val_metrics_update(data_sources, sample_uids, infos, *args, **kwargs)
        if BUCKET in infos:
            self._scores = bucket_scores(infos, sample_uids, self.curriculum.config.pass_threshold)
            named = by_bucket(data_sources, infos)
            kwargs.pop("expected_acc_counts", None)  # its keys are the plain sources
            metrics |= super()._val_metrics_update(named, sample_uids, infos, *args, **kwargs)
            metrics |= {f"val/{bucket}": rate.value for bucket, rate in self._scores.items()}
        return metrics

    def _follow(self, decision: Decision) -> dict[str, float]:
        """Take in what the curriculum has decided, and tell of it; returns metrics."""
        self._owes_validation = decision.validate
        if decision.stop is not None:
            self.total_training_steps = self.global_steps  # fit() then ends after this step
        events = self._reporter.decision(decision, getattr(self, "logger", None))
        return events | {f"curriculum/{name}": value for name, value in self.curriculum.metrics().items()}

    def _keep_stage(self, restored: Path | None = None) -> None:
        """Keep a checkpoint of the stage that begins; `restored` is the one whose weights were just loaded."""
        number, name = self.curriculum.stage_number, self.curriculum.stage.name
        folder = stage_folder(self._root, number, name, self.global_steps)
        if restored is None:
            self._save_checkpoint()
            keep_checkpoint(self._root / f"global_step_{self.global_steps}", folder, self.curriculum.save)
        else:
            keep_checkpoint(restored, folder, self.curriculum.save, without=(IN_FLIGHT, FOLDER))
        export_adapter(folder / "actor", folder / FOLDER, self.config.actor_rollout_ref.model.path)

    def _restore(self, decision: Decision) -> Path | None:
        """Load model and optimizer as they were when the stage that was rolled back began."""
        if decision.restore_step is None:
            return None
        abandoned = decision.transitions[-1].source
        number = [stage.name for stage in self.curriculum.config.stages].index(abandoned)
        folder = require_checkpoint(stage_folder(self._root, number, abandoned, decision.restore_step))
        logger.warning("curriculum: model and optimizer are those of %s again", folder)
        self.actor_rollout_wg.load_checkpoint(local_path=str(folder / "actor"), del_local_after_load=False)
        if self.use_critic:
            self.critic_wg.load_checkpoint(local_path=str(folder / str(Role.Critic)), del_local_after_load=False)
        return folder

    def _compute_metrics(self, batch: Any, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super()._compute_metrics(batch, metrics, *args, **kwargs)
        self._reporter.step(self.global_steps, metrics)

    def on_train_end(self) -> None:
        """What verl does after its last step, which it did not know to be the last when curriculum.stop was met."""
        super().on_train_end()
        if self.curriculum.stopped:
            with self._last_step():
                if self.config.trainer.save_freq > 0:
                    with self._rollout_aside():
                        self._save_checkpoint()
                if self.config.trainer.test_freq > 0:
                    self.logger.log(data=self._validate_now(), step=self.global_steps)

    @contextmanager
    def _last_step(self) -> Iterator[None]:
        """fit() counts a step before it is done; what belongs to the last one is done under its number."""
        self.global_steps -= 1
        yield
        self.global_steps += 1


def _begins_stage(decision: Decision) -> bool:
    """Whether to keep a checkpoint: not if an advance was taken back at once, by the weights that it was made with."""
    changed = decision.restore_step is not None or (
        bool(decision.transitions) and decision.transitions[0].source != decision.transitions[-1].target
    )
    return decision.checkpoint and changed


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
