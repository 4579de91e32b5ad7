"""The curriculum: which prompts come next, with which reward weights, and when that changes."""

import dataclasses
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curriculum_verl.curriculum.admission import Admission
from curriculum_verl.curriculum.alerts import Alerts
from curriculum_verl.curriculum.conditions import Status
from curriculum_verl.curriculum.config import ConditionConfig, CurriculumConfig, Stage, metric_conditions
from curriculum_verl.curriculum.decisions import Decision, Transition
from curriculum_verl.curriculum.feedback import GroupScores, Scores, summarise
from curriculum_verl.curriculum.formula import Formula, parse_formula
from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.curriculum.manager import Manager
from curriculum_verl.curriculum.measuring import measure, measurement
from curriculum_verl.curriculum.policies import build_policy
from curriculum_verl.curriculum.pools import Pools
from curriculum_verl.curriculum.randomness import RandomStream
from curriculum_verl.curriculum.sources import ConfigSource
from curriculum_verl.curriculum.state import check_fits, config_state, moved_to, read_state, write_state
from curriculum_verl.curriculum.tracker import Rate, Tracker
from curriculum_verl.errors import ConfigError, InputError, StateError, unknown_name
from curriculum_verl.manifest import Manifest, read_manifest, read_prompts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """A batch: prompts as row numbers in random order, their buckets, the stage, and the reward weights they carry."""

    prompts: NDArray[np.int64]
    buckets: NDArray[np.int64]
    stage: int
    reward_weights: dict[str, float]


class Curriculum:
    """The engine's public face.

    Each training step: `draw`, generate and score, `observe`; after a validation: `evaluate`. Both of the latter
    return a Decision to act on. A step is observed once: repeating it, as after a resume, changes nothing.
    """

    def __init__(self, config: CurriculumConfig, index: PromptIndex):
        unknown = {bucket for stage in config.stages for bucket in stage.mix} - set(index.names)
        if unknown:
            raise ConfigError([f"mix: {unknown_name('bucket', bucket, index.names)}" for bucket in sorted(unknown)])
        self.config = config
        self.index = index
        admission = None
        if config.admission is not None:
            admission = Admission(len(index), config.seed, **dataclasses.asdict(config.admission))
        self._pools = Pools(index, config.seed, admission)
        self._policy = build_policy(config.policy, self._pools)
        self._order = RandomStream(config.seed, "order")
        ends = [*(stage.exit for stage in config.stages), config.stop]
        watched = [alert.condition for alert in config.alerts]
        windows = [condition.window for tested in (*ends, *watched) for condition in metric_conditions(tested)]
        derived = {name: parse_formula(text) for name, text in config.derived.items()}
        self.tracker = Tracker(keep=max([100, *windows]), derived=derived)
        self.tested_metrics = _tested([*ends, *watched], derived)
        self._only_watched = _tested(watched, derived) - _tested(ends, derived)
        self._manager = Manager(config, index.names, self.tracker)
        self._alerts = Alerts(config.alerts, self.tracker)
        self._step = 0
        self._identity = index.identity()
        self._drawn = np.zeros(len(index.names), dtype=np.int64)
        self._batch = np.zeros(len(index.names), dtype=np.int64)
        self._batch_step = -1
        self._invalid = 0
        self._floors: dict[str, float] = {}
        self._begin_stage()

    @classmethod
    def from_config(cls, source: ConfigSource | CurriculumConfig, index: PromptIndex | None = None) -> "Curriculum":
        """From a recipe (file, mapping, Hydra config); without an index the data is what the recipe's manifest says."""
        if isinstance(source, CurriculumConfig):
            config = source
        elif index is not None:
            config = load_config(source, index.names)
        else:
            config = load_config(source)
        if index is None:
            if config.data is None:
                raise InputError(
                    "curriculum.data: is missing; expected the path of a manifest, or a prompt index in code"
                )
            manifest = read_manifest(config.data)
            index = _index_of(manifest, Path(config.data).parent)
            config = config if isinstance(source, CurriculumConfig) else load_config(source, index.names)
        return cls(config, index)

    @property
    def stage(self) -> Stage:
        """The present stage."""
        return self._manager.stage

    @property
    def stage_number(self) -> int:
        """The present stage's number, from 0."""
        return self._manager.stage_number

    @property
    def step(self) -> int:
        """The last step observed."""
        return self._step

    @property
    def awaits_validation(self) -> bool:
        """Whether a validation was asked for that has not come.

        A checkpoint is often written between a step and its validation: after a resume, validate before the first
        draw if this says so, or if a scheduled validation of the present step is not the `validated_step`.
        """
        return self._manager.awaits_validation

    @property
    def validated_step(self) -> int:
        """The step of the latest validation; -1 before the first."""
        return self._manager.validated_step

    @property
    def stopped(self) -> str | None:
        """Why the run should end, once it should."""
        return self._manager.stopped

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """All transitions so far, with their reasons."""
        return self._manager.transitions

    def begin_at(self, step: int) -> None:
        """Begin after so many steps that a trainer made without a curriculum; the first stage counts from there."""
        self._step = step
        self._manager.begin_at(step)

    def end_statuses(self) -> list[Status]:
        """Progress of every test that can end the present stage."""
        return self._manager.end_statuses()

    def draw(self, n: int) -> Draw:
        """The next n prompts of the present stage."""
        if n < 1:
            raise InputError(f"draw: got n={n}, expected at least 1")
        prompts = self._policy.draw(n)
        prompts = prompts[self._order.next().permutation(n)]
        buckets = self.index.bucket_of(prompts)
        drawn = np.bincount(buckets, minlength=len(self._drawn))
        self._batch = drawn if self._batch_step != self._step else self._batch + drawn
        self._batch_step = self._step
        self._drawn += drawn
        return Draw(prompts, buckets, self.stage_number, self.reward_weights())

    def reward_weights(self, stage: int | None = None) -> dict[str, float]:
        """The weights of every reward component in a stage; by default, the present one."""
        given = self.config.stages[self.stage_number if stage is None else stage].rewards
        return {name: given.get(name, 0.0) for name in self.config.component_names}

    def observe(
        self,
        step: int,
        prompts: ArrayLike = (),
        scores: Scores = (),
        *,
        passed: Scores | None = None,
        stages: ArrayLike | None = None,
        metrics: Mapping[str, float | Rate] | None = None,
    ) -> Decision:
        """Take the feedback of one training step.

        `scores` holds a sequence of scores for every prompt, weighted as the trainer's advantages need them;
        `passed` says of each whether the response passes, where that is not score >= pass_threshold; `stages` the
        stage that each prompt was drawn in, when some may be older than the present one: those teach the policy but
        do not count for the present stage's conditions. `metrics` are further values to track, such as
        reward/coherence.
        """
        step = int(step)
        if step < 1:
            raise InputError(f"observe: got step {step}, expected steps counted from 1")
        if step <= self._step:
            if step < self._step:
                logger.warning("step %d was observed after step %d and is ignored", step, self._step)
            return Decision(step)
        rows = np.asarray(prompts)
        rewards = summarise(scores, self.config.pass_threshold, passed)
        measured = {name: measurement(name, value) for name, value in (metrics or {}).items()}
        drawn_in = np.full(len(rewards), self.stage_number) if stages is None else np.asarray(stages)
        self._check_feedback(rows, rewards, drawn_in)

        self._step = step
        self._invalid += rewards.invalid
        kept = rewards.responses > 0
        rows, rewards, drawn_in = rows[kept].astype(np.int64), rewards.select(kept), drawn_in[kept]
        self._policy.observe(rows, rewards)
        if self._pools.admission is not None:
            self._pools.admission.observe(rows[rewards.comparable], rewards.informative[rewards.comparable])
        present = drawn_in == self.stage_number
        measured |= measure(self.index, rows[present], rewards.select(present))
        measured |= {"stage/steps": step - self._manager.stage_start, "run/steps": step}
        self.tracker.observe(step, measured)
        return self._watch(self._after(self._manager.after_step(step)))

    def observe_late(self, metrics: Mapping[str, Any]) -> None:
        """Take what is known of the last step only after it was observed; alerts look at it with the next step.

        Only metrics that nothing but alerts tests are taken: a checkpoint of the step may have been written before they
        were known, and a resumed run must make the same transitions without them.
        """
        late = {name: measurement(name, metrics[name]) for name in sorted(self._only_watched & metrics.keys())}
        self.tracker.observe(self._step, late)

    def evaluate(self, step: int, scores: Mapping[str, float | Rate]) -> Decision:
        """Take a validation's mean score of every bucket, as a number or as a Rate with its number of trials."""
        return self._watch(self._after(self._manager.after_validation(int(step), scores)))

    def switch(self, by: int) -> Decision:
        """Begin the stage that is so many further, +1 or -1 say, now and whatever the conditions say."""
        return self._after(self._manager.switch(self._step, by))

    def _check_feedback(self, rows: NDArray[Any], rewards: GroupScores, drawn_in: NDArray[Any]) -> None:
        """Refuse feedback that does not fit before it changes anything."""
        for what, values in (("prompts", rows), ("stages", drawn_in)):
            if values.shape != (len(rewards),):
                got = f"{what} of shape {values.shape} and {len(rewards)} groups of scores"
                raise InputError(f"observe: got {got}, expected one for every group")
        if len(rows) and not np.issubdtype(rows.dtype, np.integer):
            raise InputError(f"observe: got prompts of type {rows.dtype}, expected row numbers")
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self.index):
            outside = rows[(rows < 0) | (rows >= len(self.index))][0]
            raise InputError(f"observe: got prompt {outside}, expected row numbers from 0 to {len(self.index) - 1}")

    def _after(self, decision: Decision) -> Decision:
        if decision.transitions or self._manager.floors() != self._floors:
            self._begin_stage()
        return decision

    def _watch(self, decision: Decision) -> Decision:
        """The decision with what alerts say."""
        alerts, warnings = self._alerts.observe(decision.step, self._manager.stage_start)
        if not alerts and not warnings:
            return decision
        return dataclasses.replace(decision, alerts=tuple(alerts), warnings=(*decision.warnings, *warnings))

    def _begin_stage(self) -> None:
        self._floors = self._manager.floors()
        self._policy.begin_stage(self.index.by_bucket(self.stage.mix), self.index.by_bucket(self._floors))

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resume needs; JSON but for NumPy arrays, which `save` puts into a file of their own."""
        admission = self._pools.admission
        return {
            "data": self._identity,
            "config": config_state(self.config),
            "step": self._step,
            "invalid": self._invalid,
            "drawn": self._drawn.tolist(),
            "batch": self._batch.tolist(),
            "order": self._order.state_dict(),
            "manager": self._manager.state_dict(),
            "tracker": self.tracker.state_dict(),
            "alerts": self._alerts.state_dict(),
            "pools": self._pools.state_dict(),
            "admission": None if admission is None else admission.state_dict(),
            "policy": self._policy.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], *, force: bool = False) -> list[str]:
        """Continue where the saved curriculum stood; a state of other data or another config is refused.

        With `force` it is taken over as far as it fits: the stage by its name, history and metrics always, positions in
        the data if data and seed are the same, what policy and admission learned if those are the same too. Returns the
        differences.
        """
        try:
            differences = check_fits(state, {"data": self._identity, "config": config_state(self.config)}, force=force)
            changed = [difference for difference in differences if not _same_prompts(difference)]
            self._take_over(state, {re.split(r"[.\[:]", difference)[0] for difference in changed})
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise StateError(
                f"the saved state is damaged ({reason}); build the curriculum anew and resume from another"
            ) from error
        return differences

    def _take_over(self, state: dict[str, Any], changed: set[str]) -> None:
        """Load every part of a state that still fits; the rest starts anew."""
        self._manager.load_state_dict(
            moved_to(state, self.config) if changed & {"stages", "stop"} else state["manager"]
        )
        self.tracker.load_state_dict(state["tracker"])
        self._alerts.load_state_dict(state.get("alerts", {}))  # a state from before there were any has none
        self._step, self._invalid = int(state["step"]), int(state["invalid"])
        self._begin_stage()
        if changed & {"data", "seed"}:
            return
        self._drawn, self._batch = np.array(state["drawn"]), np.array(state["batch"])
        self._order.load_state_dict(state["order"])
        self._pools.load_state_dict(state["pools"])
        if self._pools.admission is not None and "admission" not in changed:
            self._pools.admission.load_state_dict(state["admission"])
        if "policy" not in changed:
            self._policy.load_state_dict(state["policy"])

    def save(self, path: str | Path) -> None:
        """Write the state to a JSON file, complete or not at all; large arrays go into a .npz beside it."""
        write_state(path, self.state_dict())

    def load(self, path: str | Path, *, force: bool = False) -> list[str]:
        """Continue from a file that `save` wrote; see load_state_dict."""
        return self.load_state_dict(read_state(path), force=force)

    def metrics(self) -> dict[str, float]:
        """Numbers for a logger, without a prefix; `share` is of the prompts drawn since the last step."""
        return {
            **self._manager.metrics(),
            **self._measured_last(),
            "stage_steps": float(self._step - self._manager.stage_start),
            "invalid_scores": float(self._invalid),
            **{
                f"share/{name}": value
                for name, value in self.index.by_name(self._batch / max(1, self._batch.sum())).items()
            },
            **{f"drawn/{name}": value for name, value in self.index.by_name(self._drawn).items()},
            **{f"epochs/{name}": value for name, value in self.index.by_name(self._drawn / self.index.sizes).items()},
            **self.tracker.metrics(),
            **self._alerts.metrics(),
            **self._pools.metrics(),
            **{f"policy/{name}": value for name, value in self._policy.metrics().items()},
        }

    def _measured_last(self) -> dict[str, float]:
        """What the last step showed of the present stage's prompts, of all and by bucket."""
        names = [name for name in self.tracker.names() if name.startswith("train/")]
        readings = {name: self.tracker.window(name, 1, self._step - 1) for name in names}
        return {name: reading.mean for name, reading in readings.items() if reading is not None}


def _same_prompts(difference: str) -> bool:
    """Whether only what is written of prompts differs: they are the same in the same places, so positions hold."""
    return difference.startswith("data.files:")


def _tested(conditions: Iterable[ConditionConfig | None], derived: Mapping[str, Formula]) -> frozenset[str]:
    """Every metric that conditions look at, and those that derived ones among them are made of."""
    names = {test.metric for condition in conditions for test in metric_conditions(condition)}
    for name, formula in reversed(list(derived.items())):  # each is made of metrics and of derived ones before it
        names |= formula.names if name in names else set()
    return frozenset(names)


def _index_of(manifest: Manifest, folder: Path) -> PromptIndex:
    """The prompts of the data, with the difficulty and pass rate of each where the manifest names a side file."""
    known = read_prompts(manifest, folder)
    values = {} if known is None else {name: np.ascontiguousarray(known[name]) for name in ("difficulty", "pass_rate")}
    return PromptIndex.build(manifest.sizes, data_hash=manifest.ids_hash, files_hash=manifest.files_hash, **values)
