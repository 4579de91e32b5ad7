"""The callback: tells the curriculum of steps and evaluations, does what it decides, and says so everywhere."""

import logging
import math
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback
from transformers.integrations.integration_utils import rewrite_logs

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.curriculum.decisions import Decision
from curriculum_verl.errors import TrainingError
from curriculum_verl.runs.metrics_file import any_numbers
from curriculum_verl.runs.reporting import Reporter
from curriculum_verl.runs.stage_checkpoints import begins_stage, restored_checkpoint
from curriculum_verl.sft.checkpoints import SCORE, is_whole
from curriculum_verl.sft.scoring import scores_of
from curriculum_verl.sft.trackers import Trackers
from curriculum_verl.sft.trainer import CurriculumTrainer

logger = logging.getLogger(__name__)


class CurriculumCallback(TrainerCallback):
    """No evaluation is made here and no flag is ever cleared: what is decided is asked of the Trainer's own flow.

    Within a step the Trainer logs, evaluates and saves, in this order; so a checkpoint holds all that its step decided.
    """

    def __init__(self, trainer: CurriculumTrainer, trackers: Trackers, reporter: Reporter | None, patience: int | None):
        self._trainer, self._curriculum = trainer, trainer.curriculum
        self._trackers, self._reporter = trackers, reporter  # only the first process reports
        self._patience = patience
        self._told: dict[str, Any] = {}
        trainer.before_saving = self._write  # so that a kill between checkpoint and line loses no line

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A process begins."""
        if self._reporter is not None:
            self._reporter.begin(state.global_step)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """All is said of the step before."""
        self._write(state.global_step)
        self._trainer.stage_before, self._trainer.restored = self._curriculum.stage_number, False

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Feedback of an optimizer step."""
        rows, scores, loss = self._trainer.take_feedback()
        # The Trainer's own count starts anew with every process.
        state.epoch = state.global_step * len(rows) / len(self._curriculum.index)
        if not math.isfinite(loss):
            raise TrainingError(
                f"step {state.global_step}: the loss is {loss}, and with it the weights; lower training.learning_rate, "
                "or look at the data; --resume goes on from the last checkpoint"
            )
        self._told["train/loss"] = loss
        decision = self._curriculum.observe(state.global_step, rows, scores, metrics={"loss": loss})
        self._follow(decision, control)
        self._told |= self.metrics()  # now, before the next step is drawn
        if decision.validate:
            control.should_evaluate = True

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        """Scores by bucket: the curriculum judges the mix before and the mix after by the same evaluation."""
        if not self._trainer.is_in_train:
            return
        scores = scores_of(metrics, self._trainer.validation.index, rates=self._trainer.counts_passes)
        self._told |= {f"val/{bucket}": float(metrics[f"eval_{bucket}_score"]) for bucket in scores}
        self._follow(self._curriculum.evaluate(state.global_step, scores), control)
        self._told |= self.metrics()
        if out_of_patience(self._patience, state.log_history, self._curriculum):
            logger.warning("no better score in %d evaluations: the run ends", self._patience)
            control.should_training_stop = control.should_save = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """The stage goes along with everything that is logged."""
        told = self.metrics()
        state.log_history[-1]["curriculum/stage"] = told["curriculum/stage"]  # the rest would swell every checkpoint
        logged = dict(rewrite_logs(logs or {}))  # type: ignore[no-untyped-call]
        logged.pop("train/loss", None)  # a mean over several steps; the metrics file has that of each
        self._told |= logged
        if state.is_world_process_zero:
            self._trackers.log(told, state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Nothing is left that was not posted."""
        if self._reporter is not None:
            self._reporter.close()

    def metrics(self) -> dict[str, float]:
        """The curriculum's numbers, by the names that trackers show."""
        return {f"curriculum/{name}": value for name, value in self._curriculum.metrics().items()}

    def _follow(self, decision: Decision, control: Any) -> None:
        if self._reporter is not None:
            events = self._reporter.decision(decision, self._trackers)
            self._told |= events
            if events:
                self._trackers.log(events, decision.step)
        if decision.restore_step is not None:
            stages = self._curriculum.config.stages
            folder = restored_checkpoint(self._trainer.root, stages, decision, is_whole)
            logger.warning("curriculum: model and optimizer are those of %s again", folder)
            self._trainer.restore_weights(folder)
        if begins_stage(decision):
            control.should_save = True
        if decision.stop is not None:
            control.should_training_stop = control.should_save = True

    def _write(self, step: int) -> None:
        self._curriculum.observe_late(any_numbers(self._told))
        if self._told and self._reporter is not None:
            self._reporter.step(step, self._told, self._trackers)
        self._told = {}


def out_of_patience(patience: int | None, history: list[Mapping[str, Any]], curriculum: Curriculum) -> bool:
    """Whether so many evaluations of the present stage were no better."""
    switched = curriculum.transitions[-1].step if curriculum.transitions else 0
    return patience is not None and without_improvement(history, switched) >= patience


def without_improvement(history: list[Mapping[str, Any]], since: int) -> int:
    """How many evaluations there were after the best one, or after a step, if that came later."""
    scores = [entry[SCORE] for entry in history if SCORE in entry and entry["step"] >= since]
    return len(scores) - 1 - scores.index(max(scores)) if scores else 0
