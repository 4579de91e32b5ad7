"""verl's V1 trainers with a curriculum: one registered mode for each mode of verl, whose branches stay as they are."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transfer_queue as tq
from omegaconf import DictConfig, open_dict
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.trainer.ppo.v1.trainer_base import PPOTrainer, register_trainer
from verl.trainer.ppo.v1.trainer_colocate_async import PPOTrainerColocateAsync
from verl.trainer.ppo.v1.trainer_separate_async import PPOTrainerSeparateAsync
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils.dataset.rl_dataset import collate_fn

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.curriculum.decisions import Decision
from curriculum_verl.curriculum.tracker import Rate
from curriculum_verl.verl_plugin.feedback import Trajectory, gather
from curriculum_verl.verl_plugin.settings import refuse_what_is_missing, split_block
from curriculum_verl.verl_plugin.tickets import FIELD, CurriculumSampler, TicketedDataset
from curriculum_verl.verl_plugin.validation import BUCKET, bucket_scores, by_bucket

logger = logging.getLogger(__name__)

PREFIX = "curriculum_"  # before the name of verl's own mode
STATE = "curriculum.json"  # in every global_step_N
STEP_FIELDS = ["rm_scores", "extra_fields", FIELD]


class CurriculumMixin(PPOTrainer):
    """Draws prompts by the curriculum, and tells it what came of them.

    Feedback is given in `step`, before verl writes the checkpoint of that step; what a validation decides comes after
    it, and a resumed run makes up for a validation that its checkpoint still owed.
    """

    def __init__(self, config: DictConfig):
        # verl compares the mode by its name in many places, so from here on it must be verl's own.
        with open_dict(config):
            config.trainer.v1.trainer_mode = config.trainer.v1.trainer_mode.removeprefix(PREFIX)
        self._overhead = 0.0
        self._weights = 0  # counts updates of the rollout's weights: one validation for each is enough
        self._validated: tuple[int, dict[str, float]] | None = None
        self._owes_validation = False
        self._scores: dict[str, Rate] = {}
        self._resumed = False
        super().__init__(config)

    def _init_dataloader(self) -> None:
        super()._init_dataloader()
        block, self.settings = split_block(self.config)
        self.curriculum = Curriculum.from_config({"curriculum": block})
        refuse_what_is_missing(self.curriculum.config)
        size = self.config.data.get("gen_batch_size", None) or self.config.data.train_batch_size
        self.train_dataloader = StatefulDataLoader(
            dataset=TicketedDataset(self.train_dataset),
            batch_size=size,
            num_workers=0,  # workers would draw ahead, and a switch of stage would lag
            drop_last=True,
            collate_fn=collate_fn,
            sampler=CurriculumSampler(self.curriculum, size),
        )

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> Any:
        """One step of verl, then the curriculum's view of it."""
        batch = super().step(metrics, timing_raw)
        began = time.perf_counter()
        feedback = gather(read_trajectories(batch))
        decision = self.curriculum.observe(
            self.global_steps,
            feedback.rows,
            feedback.rewards,
            passed=feedback.passed,
            stages=feedback.stages,
            metrics=feedback.components,
        )
        self._follow(decision)
        metrics |= {f"curriculum/{name}": value for name, value in self.curriculum.metrics().items()}
        metrics |= feedback.components
        metrics["curriculum/overhead_s"] = time.perf_counter() - began
        return batch

    def _save_checkpoint(self) -> None:
        folder = Path(self.config.trainer.default_local_dir) / f"global_step_{self.global_steps}"
        folder.mkdir(parents=True, exist_ok=True)
        self.curriculum.save(folder / STATE)  # first: verl marks a checkpoint as the latest when all of it is there
        super()._save_checkpoint()

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        if self.global_steps:
            self._resumed = True
            force = self.settings.resume == "force"
            for difference in self.curriculum.load(self._loaded_from() / STATE, force=force):
                logger.warning("the resumed curriculum differs: %s", difference)

    def _loaded_from(self) -> Path:
        trainer = self.config.trainer
        if trainer.resume_mode == "resume_path":
            return Path(trainer.resume_from_path)
        return Path(trainer.default_local_dir) / f"global_step_{self.global_steps}"

    def on_step_end(self) -> None:
        """After the rollout has the new weights: a validation, if the curriculum waits for one."""
        super().on_step_end()
        self._weights += 1
        if self._owes_validation:
            self.on_validate_begin()
            metrics = self._validate()
            self.on_validate_end()
            self._pending_sync_metrics = {**(getattr(self, "_pending_sync_metrics", None) or {}), **metrics}

    def _validate(self) -> dict[str, float]:
        """verl's validation, once for the same weights, and what the curriculum makes of it."""
        if self._validated is not None and self._validated[0] == self._weights:
            return self._validated[1]
        metrics: dict[str, float] = super()._validate()
        if self._counts():
            self._follow(self.curriculum.evaluate(self.global_steps, self._scores))
            metrics |= {f"curriculum/{name}": value for name, value in self.curriculum.metrics().items()}
        self._validated = self._weights, metrics
        return metrics

    def _counts(self) -> bool:
        """Whether the curriculum is to hear of this validation: not twice of what it knew before a resume."""
        before_training, self._resumed = self._resumed, False
        if not before_training:
            return True
        scheduled = self.config.trainer.test_freq > 0 and self.global_steps % self.config.trainer.test_freq == 0
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

    def _follow(self, decision: Decision) -> None:
        """Do what the curriculum asks for."""
        self._owes_validation = decision.validate
        for transition in decision.transitions:
            logger.warning(
                "curriculum: %s from %s to %s after step %d: %s",
                transition.kind,
                transition.source,
                transition.target,
                transition.step,
                transition.reason,
            )


def read_trajectories(batch: Any) -> list[Trajectory]:
    """The real trajectories of a step, out of verl's store, while they are there."""
    keys = [key for key, tag in zip(batch.keys, batch.tags, strict=True) if not tag.get("is_padding", False)]
    data = tq.kv_batch_get(keys=keys, partition_id=batch.partition_id, select_fields=STEP_FIELDS)
    rewards = [float(scores.sum()) for scores in data["rm_scores"]]
    fields = [[getattr(value, "data", value) for value in data[name]] for name in (FIELD, "extra_fields")]
    return [
        Trajectory(key, ticket, reward, (extra or {}).get("reward_extra_info") or {})
        for key, reward, ticket, extra in zip(keys, rewards, *fields, strict=True)
    ]


@register_trainer(PREFIX + "sync")
class CurriculumSync(CurriculumMixin, PPOTrainerSync):
    """verl's synchronous trainer with a curriculum."""


@register_trainer(PREFIX + "colocate_async")
class CurriculumColocateAsync(CurriculumMixin, PPOTrainerColocateAsync):
    """verl's colocated asynchronous trainer with a curriculum."""


@register_trainer(PREFIX + "separate_async")
class CurriculumSeparateAsync(CurriculumMixin, PPOTrainerSeparateAsync):
    """verl's disaggregated asynchronous trainer with a curriculum."""
