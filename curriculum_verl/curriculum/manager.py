"""The manager: which stage the run is in, when it advances, and what takes an advance back."""

import logging
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from curriculum_verl.curriculum.conditions import Condition, Status, build_condition
from curriculum_verl.curriculum.config import CurriculumConfig, Rollback, Stage
from curriculum_verl.curriculum.decisions import Decision, Kind, Transition
from curriculum_verl.curriculum.mixing import replay_floors
from curriculum_verl.curriculum.pending import PendingAdvance, fall_in_words
from curriculum_verl.curriculum.tracker import Rate, Tracker
from curriculum_verl.curriculum.validation import Validation
from curriculum_verl.errors import InputError, unknown_name

logger = logging.getLogger(__name__)

OVERDUE = 50  # steps (or one interval, if that is longer) after which something that waits for a validation asks for it
RETRY_LOOKS = 10  # looks at an exit between two validations that are asked for because the last one was too low
LONGEST_INTERVAL = 10**9
MOST_GROWTHS = 150  # the largest factor, 100, to this power is still a float


@dataclass(slots=True)
class _Stand:
    """Where the run stands, in plain values."""

    failures: list[int]
    stage: int = 0
    stage_start: int = 0
    last_check: int = 0
    cooldown_until: int = 0
    asked: bool = False
    ask_from: int = 0
    pending: PendingAdvance | None = None
    replay: dict[str, float] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)
    holds: dict[str, int] = field(default_factory=dict)
    stop: str | None = None
    transitions: list[Transition] = field(default_factory=list)


class Manager:
    """Decides after every step and every validation, from the tracker and the latest scores by bucket.

    An exit is looked at `check_every` steps after the stage began and so on, the interval growing by
    `interval_factor` with every rollback from the next stage; a validation on such a step is part of the same look.
    """

    def __init__(self, config: CurriculumConfig, buckets: Sequence[str], tracker: Tracker):
        self._config = config
        self._buckets = buckets
        self._tracker = tracker
        self._rollback = config.rollback or Rollback()
        self._validation = Validation(tracker, config.forgetting_alarm)
        self._now = _Stand(failures=[0] * len(config.stages))
        self._end = self._build_end()
        self._decision = Decision(0)

    @property
    def stage(self) -> Stage:
        """The present stage."""
        return self._config.stages[self._now.stage]

    @property
    def stage_number(self) -> int:
        """The present stage's number, from 0."""
        return self._now.stage

    @property
    def stage_start(self) -> int:
        """The step after which the present stage began."""
        return self._now.stage_start

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """All transitions so far."""
        return tuple(self._now.transitions)

    @property
    def interval(self) -> int:
        """Steps between two looks at the present exit."""
        following = min(self._now.stage + 1, len(self._config.stages) - 1)
        growth = self._rollback.interval_factor ** min(self._now.failures[following], MOST_GROWTHS)
        return math.ceil(min(self._config.advance.check_every * growth, LONGEST_INTERVAL))

    @property
    def awaits_validation(self) -> bool:
        """Whether a validation was asked for that has not come."""
        return self._now.asked

    @property
    def validated_step(self) -> int:
        """The step of the latest validation; -1 before the first."""
        return self._validation.step

    @property
    def stopped(self) -> str | None:
        """Why the run should end, once it should."""
        return self._now.stop

    def end_statuses(self) -> list[Status]:
        """Progress of every test that can end the stage; in the last stage, the run."""
        return self._end.statuses() if self._end else []

    def floors(self) -> dict[str, float]:
        """The least share of every bucket that earlier stages taught; see replay_floors."""
        return replay_floors(self._taught(self._now.stage), self._config.replay_floor, self._now.replay, self.stage.mix)

    def _taught(self, stages: int) -> list[str]:
        """The buckets of the first so many stages, easiest first."""
        mixes = [stage.mix for stage in self._config.stages[:stages]]
        return [bucket for bucket in self._buckets if any(mix.get(bucket, 0.0) > 0 for mix in mixes)]

    def begin_at(self, step: int) -> None:
        """Begin the first stage after a step, before anything was observed."""
        self._now.stage_start = self._now.last_check = step

    def after_step(self, step: int) -> Decision:
        """Decide on what training measured; the tracker has seen it already."""
        self._decision = Decision(step, stop=self._now.stop)
        if self._due(step):
            self._check(step)
        if self._now.asked and not self._decision.validate:
            self._hold("validation")
            self._ask()
        return self._decision

    def after_validation(self, step: int, scores: Mapping[str, float | Rate]) -> Decision:
        """Decide on the scores of a validation; several calls for one step are one validation."""
        self._decision = Decision(step, stop=self._now.stop)
        if step < self._validation.step:
            return self._decision
        for bucket in scores.keys() - set(self._buckets):
            self._warn(f"validation reports {unknown_name('bucket', bucket, self._buckets)}")
        known = {bucket: score for bucket, score in scores.items() if bucket in self._buckets}
        alarms = self._validation.observe(step, known, self.stage.mix, self._taught(self._now.stage + 1))
        self._say(alarms=tuple(alarms))
        asked, self._now.asked = self._now.asked, False
        if self._now.pending is not None and self._judge(step, self._now.pending):
            return self._decision
        if self._due(step) or (asked and step > self._now.stage_start):
            self._check(step)
        elif self._end is not None:
            self._end.observe(self._tracker, self._now.stage_start)
        return self._decision

    def switch(self, step: int, by: int) -> Decision:
        """Begin the stage that is so many further, by hand; what was pending is forgotten."""
        self._decision = Decision(step, stop=self._now.stop)
        target = self._now.stage + by
        if by == 0 or not 0 <= target < len(self._config.stages):
            raise InputError(f"got a switch by {by:+d} in stage {self.stage.name!r}: there is no other stage there")
        self._switch(step, target, "advance" if by > 0 else "rollback", "by hand", None)
        return self._decision

    def _due(self, step: int) -> bool:
        now = self._now
        return step > now.stage_start and (step - now.last_check >= self.interval or step == now.last_check)

    def _build_end(self) -> Condition | None:
        last = self._now.stage == len(self._config.stages) - 1
        config = self._config.stop if last else self.stage.exit
        return build_condition(config) if config else None

    def _check(self, step: int) -> None:
        """Look at the exit; if it is met, advance, or say what holds it."""
        now = self._now
        now.last_check = step
        now.asked = now.asked and now.pending is not None
        if self._end is None:
            return
        self._end.observe(self._tracker, now.stage_start)
        self._warn_of_problems(step, self._end)
        if not self._end.met:
            return
        reason = "; ".join(map(str, self._end.reasons()))
        if now.pending is not None:
            self._hold("probation" if now.pending.judged else "unjudged")
            self._ask_if_overdue(step, f"the end of stage {self.stage.name!r}")
        elif now.stage == len(self._config.stages) - 1:
            now.stop = reason
            self._say(stop=reason)
        elif step < now.cooldown_until:
            self._hold("cooldown")
        elif not self._config.advance.validate_now or self._validation.step == step:
            self._advance(step, reason)
        elif step < now.ask_from:
            self._hold("validated_lately")
        else:
            self._ask()

    def _advance(self, step: int, reason: str) -> None:
        now = self._now
        score = self._validation.on(self.stage.mix)
        least = self._config.advance.min_performance
        if score is None and (least is not None or self._config.rollback is not None):
            self._hold("not_validated")
            now.ask_from = step + RETRY_LOOKS * self.interval
            if self._validation.step >= 0:
                missing = ", ".join(self._validation.missing(self.stage.mix))
                self._warn(f"stage {self.stage.name!r} cannot end: validation has no score for bucket {missing}")
            self._ask_if_overdue(step, f"the end of stage {self.stage.name!r}")
            return
        if least is not None and score is not None and score < least:
            self._hold("min_performance")
            now.ask_from = step + RETRY_LOOKS * self.interval
            return
        following = self._config.stages[now.stage + 1]
        before = self._validation.on(following.mix) if self._rollback.baseline == "new_mix" else score
        scores = self._validation.scores
        mastered = {
            bucket: scores[bucket] for bucket, share in self.stage.mix.items() if share > 0 and bucket in scores
        }
        pending = PendingAdvance(step, now.stage, before, mastered)
        self._switch(step, now.stage + 1, "advance", reason, before)
        now.pending = pending
        if self._config.advance.validate_now or not self._judgeable(pending):
            self._judge(step, pending)

    def _judgeable(self, pending: PendingAdvance) -> bool:
        return self._config.rollback is not None and pending.before is not None

    def _judge(self, step: int, pending: PendingAdvance) -> bool:
        """Judge an advance by the latest scores; true if it was taken back."""
        if not pending.judged and self._judge_drop(step, pending):
            return True
        if pending.judged and step > pending.step and self._judge_mastered(step, pending):
            return True
        probation = self._config.probation
        if pending.judged and (probation is None or not pending.mastered or pending.watched >= probation.evals):
            self._now.pending = None
        return False

    def _judge_drop(self, step: int, pending: PendingAdvance) -> bool:
        """Compare the score on the mix after the advance with the one remembered from before."""
        after = self._validation.on(self.stage.mix)
        if not self._judgeable(pending) or pending.before is None:
            pending.judged = True
        elif after is None:
            missing = self._validation.missing(self.stage.mix)
            if missing == pending.missing:
                unjudged = f"the advance to {self.stage.name!r} stands unjudged"
                self._warn(f"{unjudged}: validation has no score for bucket {', '.join(missing)}")
                pending.judged = True
            else:  # the rest may come in another report
                pending.missing = missing
                if self._config.advance.validate_now:
                    self._ask()
        else:
            pending.judged = True
            if after - pending.before < self._rollback.threshold:
                reason = f"score {fall_in_words(pending.before, after, self._rollback.threshold)}"
                if step == pending.step:
                    reason += " (with the same weights: by so much the new mix is harder)"
                self._take_back(step, pending, reason, pending.before, after)
                return True
            self._now.transitions[-1] = replace(self._now.transitions[-1], after=after)
        return False

    def _judge_mastered(self, step: int, pending: PendingAdvance) -> bool:
        """Probation: look for a bucket of the stage before that fell."""
        probation = self._config.probation
        if probation is None or not pending.mastered or step == pending.watched_step:
            return False
        threshold = self._rollback.threshold if probation.threshold is None else probation.threshold
        if missing := self._validation.missing(dict.fromkeys(pending.mastered, 1.0)):
            self._warn(f"probation cannot watch bucket {', '.join(missing)}: validation has no score for it")
        for bucket, before, after in pending.watch(step, self._validation.scores, threshold):
            reason = f"probation: bucket {bucket} {fall_in_words(before, after, threshold)}"
            if probation.action == "rollback":
                self._take_back(step, pending, reason, before, after)
                return True
            self._now.replay[bucket] = self._now.replay.get(bucket, 0.0) + probation.replay_step
            self._warn(f"step {step}: {reason}; its replay share rises by {probation.replay_step:g}")
        return False

    def _take_back(self, step: int, pending: PendingAdvance, reason: str, before: float, after: float) -> None:
        self._now.failures[self._now.stage] += 1
        self._now.cooldown_until = step + self._rollback.cooldown
        self._switch(step, pending.source, "rollback", reason, before, after)
        if self._rollback.restore == "weights" and step > pending.step:
            self._say(restore_step=pending.step)

    def _switch(
        self, step: int, target: int, kind: Kind, reason: str, before: float | None, after: float | None = None
    ) -> None:
        now = self._now
        transition = Transition(step, kind, self.stage.name, self._config.stages[target].name, reason, before, after)
        now.transitions.append(transition)
        self._say(transitions=(*self._decision.transitions, transition), checkpoint=self._config.checkpoint_stages)
        logger.info("step %d: %s from %s to %s: %s", step, kind, transition.source, transition.target, reason)
        now.stage, now.stage_start, now.last_check, now.pending = target, step, step, None
        now.asked, now.ask_from = False, 0
        now.replay.clear()
        self._end = self._build_end()

    def _warn_of_problems(self, step: int, condition: Condition) -> None:
        """Name metrics that nobody reports; one that may still come - a validation, say - when it is overdue."""
        known = self._tracker.names()
        for metric, problem in condition.problems(self._tracker, self._now.stage_start):
            stage = f"stage {self.stage.name!r} tests a metric that cannot end it"
            if metric.startswith("val/") and self._validation.step <= self._now.stage_start:
                self._ask_if_overdue(step, f"{metric}, which stage {self.stage.name!r} tests,")
            elif metric not in known:
                self._warn(f"{stage}: {unknown_name('metric', metric, known)}")
            elif problem is not None:
                self._warn(f"{stage}: {metric} {problem}")
            elif step - self._now.stage_start >= self._patience:
                self._warn(f"{stage}: {metric} had no value since the stage began at step {self._now.stage_start}")

    @property
    def _patience(self) -> int:
        return max(OVERDUE, self.interval)

    def _ask_if_overdue(self, step: int, what: str) -> None:
        last = max(self._validation.step, self._now.stage_start)
        if step - last >= self._patience:
            self._warn(f"{what} waits for a validation, and none has come since step {last}")
            self._ask()

    def _ask(self) -> None:
        self._now.asked = True
        self._say(validate=True)

    def _warn(self, message: str) -> None:
        if message not in self._now.warned:
            self._now.warned.append(message)
            self._say(warnings=(*self._decision.warnings, message))
            logger.warning("%s", message)

    def _hold(self, reason: str) -> None:
        self._now.holds[reason] = self._now.holds.get(reason, 0) + 1
        self._say(hold=reason)

    def _say(self, **changes: Any) -> None:
        self._decision = replace(self._decision, **changes)

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands, the latest validation, and the history of the present conditions."""
        end = self._end.state_dict() if self._end else None
        return asdict(self._now) | {"end": end, "validation": self._validation.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved manager stood."""
        state = deepcopy(state)
        end, validation = state.pop("end"), state.pop("validation")
        pending = None if state["pending"] is None else PendingAdvance(**state["pending"])
        transitions = [Transition(**transition) for transition in state["transitions"]]
        self._now = _Stand(**state | {"pending": pending, "transitions": transitions})
        self._validation.load_state_dict(validation)
        self._end = self._build_end()
        if self._end is not None and end is not None:
            self._end.load_state_dict(end)

    def metrics(self) -> dict[str, float]:
        """Stage, interval, counts of transitions and holds, what the last one cost, forgetting."""
        kinds = [transition.kind for transition in self._now.transitions]
        drop = self._now.transitions[-1].drop if self._now.transitions else None
        return {
            "stage": float(self._now.stage),
            **{f"stage/{stage.name}": float(stage is self.stage) for stage in self._config.stages},
            "interval": float(self.interval),
            "advances": float(kinds.count("advance")),
            "rollbacks": float(kinds.count("rollback")),
            **({} if drop is None else {"performance_drop": drop}),
            **{f"hold/{reason}": float(count) for reason, count in self._now.holds.items()},
            **self._validation.metrics(),
        }
