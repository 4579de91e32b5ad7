"""verl's validation with a curriculum: scores by bucket, what they decide, and none twice for the same weights."""

from collections.abc import Mapping
from typing import Any

from curriculum_verl.curriculum.decisions import Decision
from curriculum_verl.curriculum.tracker import Rate
from curriculum_verl.runs.stage_checkpoints import begins_stage
from curriculum_verl.verl_plugin.checkpoints import CheckpointMixin
from curriculum_verl.verl_plugin.feedback import FAILURE, refuse_failures
from curriculum_verl.verl_plugin.validation import BUCKET, bucket_scores, by_bucket


class ValidationMixin(CheckpointMixin):
    """Validates on demand, after the rollout has the new weights; a resumed run makes up for what was still owed."""

    _owes_validation = False
    _weights = 0  # counts updates of the rollout's weights: one validation for each is enough
    _validated: tuple[int, dict[str, float]] | None = None
    _scores: Mapping[str, Rate] = {}

    def _follow(self, decision: Decision) -> dict[str, float]:
        """Take in what the curriculum has decided; returns metrics."""
        self._owes_validation = decision.validate
        if decision.stop is not None:
            self.total_training_steps = self.global_steps  # fit() then ends after this step
        return {f"curriculum/{name}": value for name, value in self.curriculum.metrics().items()}

    def on_step_end(self) -> None:
        """A validation, if the curriculum waits for one."""
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
        """verl's validation, and what the curriculum makes of it."""
        if self._validated is not None and self._validated[0] == self._weights:
            return self._validated[1]
        metrics: dict[str, float] = super()._validate()
        before_training, self._resumed = self._resumed, False
        if not before_training or self._validation_is_due():
            decision = self.curriculum.evaluate(self.global_steps, self._scores)
            metrics |= self._follow(decision)
            if begins_stage(decision):
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
            failures = [failure for failure in infos.get(FAILURE, ()) if failure]
            refuse_failures(failures, len(sample_uids), self.settings.most_reward_failures)
            metrics["curriculum/val_reward_failures"] = float(len(failures))
        return metrics
