"""verl's V1 trainers with a curriculum: what draws prompts, and what a step tells the curriculum."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.utils.dataset.rl_dataset import collate_fn

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.curriculum.decisions import Decision
from curriculum_verl.errors import InputError
from curriculum_verl.rewards.running import RunningRewards
from curriculum_verl.rewards.scorer import CURIOSITY
from curriculum_verl.runs.metrics_file import METRICS, any_numbers
from curriculum_verl.runs.reporting import Reporter
from curriculum_verl.runs.stage_checkpoints import begins_stage
from curriculum_verl.verl_plugin.feedback import (
    COMPONENT,
    Trajectory,
    gather,
    last_outputs,
    mean_components,
    raw_values,
    refuse_failures,
)
from curriculum_verl.verl_plugin.group_rewards import add_to_rewards, by_prompt, score_in_groups, session, trace_of
from curriculum_verl.verl_plugin.rollout_log import RolloutLog
from curriculum_verl.verl_plugin.settings import PREFIX, engine_block, plugin_settings, weighed
from curriculum_verl.verl_plugin.store import TRAIN, before_clearing, read_trajectories
from curriculum_verl.verl_plugin.tickets import CurriculumSampler, TicketedDataset
from curriculum_verl.verl_plugin.validating import ValidationMixin


class CurriculumMixin(ValidationMixin):
    """Draws prompts by the curriculum, tells it what came of them, and does what it decides.

    Feedback is given in `step`, before verl writes the checkpoint of that step; what a validation decides comes after
    it, and a resumed run makes up for a validation that its checkpoint still owed.
    """

    def __init__(self, config: DictConfig):
        # verl compares the mode by its name in many places, so from here on it must be verl's own.
        with open_dict(config):
            config.trainer.v1.trainer_mode = config.trainer.v1.trainer_mode.removeprefix(PREFIX)
        self._unused: list[Trajectory] = []  # generated and scored, but not trained on
        self._curiosity: dict[str, float] = {}  # of this step, by response
        self._overhead = 0.0  # seconds of this step
        super().__init__(config)

    def _build_replay_buffer(self) -> Any:
        buffer = super()._build_replay_buffer()
        before_clearing(buffer, self._take_unused)
        return buffer

    def _take_unused(self, trajectories: list[Trajectory]) -> None:
        self._rollout_log.collect(trajectories, TRAIN)
        self._unused += trajectories

    @contextmanager
    def _measured(self) -> Iterator[None]:
        """Count the time as the curriculum's own."""
        began = time.perf_counter()
        yield
        self._overhead += time.perf_counter() - began

    def _init_dataloader(self) -> None:
        self._claim_folder()
        super()._init_dataloader()
        self.settings = plugin_settings(self.config)
        self.curriculum = Curriculum.from_config({"curriculum": engine_block(self.config)})
        self.rewards = RunningRewards(self.settings.scoring, weighed(self.curriculum.config))
        size = self.config.data.get("gen_batch_size", None) or self.config.data.train_batch_size
        if len(self.train_dataset) != len(self.curriculum.index):
            rows, known = len(self.train_dataset), len(self.curriculum.index)
            raise InputError(f"the training data has {rows:,} rows, its manifest {known:,}; run preprocessing again")
        self._sampler = CurriculumSampler(self.curriculum, size, self.rewards)
        usual = self.config.actor_rollout_ref.rollout.n
        self.train_dataloader = StatefulDataLoader(
            dataset=TicketedDataset(self.train_dataset, self.settings.group_size, usual),
            batch_size=size,
            num_workers=0,  # workers would draw ahead, and a switch of stage would lag
            drop_last=True,
            collate_fn=collate_fn,
            sampler=self._sampler,
        )
        rollouts = self.settings.rollout_log
        metrics_file = Path(self.settings.metrics_file or self._root / METRICS)
        self._reporter = Reporter(metrics_file, self.curriculum, rollouts)
        self._rollout_log = RolloutLog(rollouts, self.tokenizer)

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        self._reporter.begin(self.global_steps)

    def on_train_begin(self) -> None:
        """Before anything is drawn: the validation that a resumed run still owes, if verl has made none."""
        if self._resumed:
            with self._last_step():
                if self._validation_is_due():
                    self.logger.log(data=self._validate_now(), step=self.global_steps)
            self._resumed = False
        super().on_train_begin()

    def _compute_advantage(self, batch: Any, metrics: dict[str, Any]) -> Any:
        if self.rewards.curious:
            with self._measured():
                trajectories = read_trajectories(batch)
                scores = score_in_groups(self.rewards, trajectories)
                add_to_rewards(batch, trajectories, scores)
                self._curiosity |= scores
        return super()._compute_advantage(batch, metrics)

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> Any:
        """One step of verl, then the curriculum's view of it."""
        batch = super().step(metrics, timing_raw)
        with self._measured():
            trained = [self._with_curiosity(trajectory) for trajectory in read_trajectories(batch)]
            metrics |= self._observe([*trained, *self._unused], metrics)
            self._unused.clear()
            self._curiosity.clear()
        metrics["curriculum/overhead_s"] = self._overhead + self._sampler.take_seconds()
        self._overhead = 0.0
        self._rollout_log.collect(trained, batch.partition_id)
        self._rollout_log.write(self.global_steps)
        if begins_stage(self._decision):  # before verl's own, which would already be in the new stage without it
            self._keep_stage()
        return batch

    def _with_curiosity(self, trajectory: Trajectory) -> Trajectory:
        raw = self._curiosity.get(session(trajectory))
        extra = {**trajectory.extra, COMPONENT + CURIOSITY: raw}
        return trajectory if raw is None else replace(trajectory, extra=extra)

    def _observe(self, trajectories: list[Trajectory], of_verl: Mapping[str, Any]) -> dict[str, float]:
        feedback = gather(trajectories)
        refuse_failures(feedback.failures, sum(map(len, feedback.rewards)), self.settings.most_reward_failures)
        last = last_outputs(trajectories)
        groups = [[trace_of(t.extra) for t in group] for group in by_prompt(last)] if self.rewards.curious else []
        self.rewards.observe(self.global_steps, groups, raw_values(t.extra for t in last))
        # What older stages' prompts earned must not end the present one.
        present = [t.extra for t in last if t.ticket["stage"] == self.curriculum.stage_number]
        usage = feedback.usage | self.rewards.metrics() | {"reward_failures": float(len(feedback.failures))}
        told = feedback.components | {f"curriculum/{name}": value for name, value in usage.items()}
        tested = self._tested(of_verl) | self._tested(told)
        self._decision = self.curriculum.observe(
            self.global_steps,
            feedback.rows,
            feedback.rewards,
            passed=feedback.passed,
            stages=feedback.stages,
            metrics=tested | mean_components(present),
        )
        return told | self._follow(self._decision)

    def _tested(self, metrics: Mapping[str, Any]) -> dict[str, float]:
        """Those of the whole batch that a condition or alert tests; raw components are told of the present stage's."""
        wanted = {name for name in self.curriculum.tested_metrics if not name.startswith(COMPONENT)}
        return {name: value for name, value in any_numbers(metrics).items() if name in wanted}

    def _validate(self) -> dict[str, float]:
        before = self._validated
        metrics = super()._validate()
        if self._validated is not before:
            self._reporter.validation(self.global_steps, metrics)
        return metrics

    def _follow(self, decision: Decision) -> dict[str, float]:
        return super()._follow(decision) | self._reporter.decision(decision, getattr(self, "logger", None))

    def _compute_metrics(self, batch: Any, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super()._compute_metrics(batch, metrics, *args, **kwargs)
        self._reporter.step(self.global_steps, metrics, self.logger)
        self.curriculum.observe_late(any_numbers(metrics))

    def fit(self, *arguments: Any, **named: Any) -> None:
        """verl's loop, and a word that it is over; verl calls `on_train_end` only where it did not expect the end."""
        super().fit(*arguments, **named)
        self._reporter.close()

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
