"""What the trajectory viewer shows for what is chosen in it."""

from dataclasses import dataclass, field, replace

from curriculum_verl.monitor.rollouts import Outline
from curriculum_verl.monitor.runs import Run
from curriculum_verl.monitor.viewer import Filter, compare, find, nearest, offer, show
from curriculum_verl.monitor.watch import Watch
from curriculum_verl.pages import Html

NOTHING, SAME_RUN, ANY_STAGE = "nothing", "the same run", "any stage"
SCORES = ("reward", "weighted reward")


@dataclass(frozen=True, slots=True)
class Choice:
    """All that is chosen: `step` None is the latest, `line` the prompt's in its file, `move` goes from step to step.

    It may name what another run or step had.
    """

    run: str
    step: int | None = None
    line: int | None = None
    wanted: Filter = field(default_factory=Filter)
    beside: str = NOTHING
    stage: str = ANY_STAGE
    marked: bool = True
    move: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """The step and prompt that are shown, what can be chosen and is, and both panes."""

    step: int | None
    line: int | None
    prompts: list[tuple[str, int]]
    buckets: list[str]
    scores: list[str]
    stages: list[str]
    wanted: Filter
    stage: str
    said: str
    left: Html
    right: Html


def look(watch: Watch, choice: Choice) -> Shown:
    """Read the step that is chosen, and the prompt in it."""
    number = next((number for number, run in enumerate(watch.runs) if run.name == choice.run), 0)
    run = watch.runs[number]
    step = _step(run, choice)
    outlines = run.rollouts.read(step).outlines if run.rollouts is not None and step is not None else []
    buckets = list(dict.fromkeys([*run.history.buckets, *(one.bucket for one in outlines if one.bucket)]))
    scores = [*SCORES, *sorted({name for one in outlines[:50] for name in one.components} - set(SCORES))]
    beside = _beside(watch, choice, number)
    other = watch.runs[number if beside is None else beside]
    stages = [ANY_STAGE, *dict.fromkeys(span.stage for span in other.history.stays())]
    choice = _there_is(choice, buckets, scores, stages)
    offered = offer(run, step, choice.wanted)
    lines = [line for _, line in offered.prompts]
    line = choice.line if choice.line in lines else lines[0] if lines else None
    return Shown(
        step,
        line,
        offered.prompts,
        buckets,
        scores,
        stages,
        choice.wanted,
        choice.stage,
        offered.said,
        show(run, number, step, line, choice.wanted, marked=choice.marked),
        Html("") if beside is None else _other(watch, choice, number, beside, step, find(run, step, line)),
    )


def _there_is(choice: Choice, buckets: list[str], scores: list[str], stages: list[str]) -> Choice:
    """The choice without what this run and step do not have."""
    score = choice.wanted.score if choice.wanted.score in scores else SCORES[0]
    chosen = tuple(bucket for bucket in choice.wanted.buckets if bucket in buckets)
    stage = choice.stage if choice.stage in stages else ANY_STAGE
    return replace(choice, wanted=replace(choice.wanted, buckets=chosen, score=score), stage=stage)


def _step(run: Run, choice: Choice) -> int | None:
    steps = run.rollout_steps()
    step = nearest(steps, choice.step)
    if step is None or not choice.move:
        return step
    place = steps.index(step) + choice.move
    return steps[min(len(steps) - 1, max(0, place))]


def _beside(watch: Watch, choice: Choice, number: int) -> int | None:
    """The number of the run that is compared with."""
    if choice.beside == NOTHING:
        return None
    return next((other for other, run in enumerate(watch.runs) if run.name == choice.beside), number)


def _other(watch: Watch, choice: Choice, number: int, other: int, step: int | None, prompt: Outline | None) -> Html:
    if prompt is None or step is None:
        return Html("")
    stage = None if choice.stage == ANY_STAGE else choice.stage
    besides = step if other == number else None
    everything = Filter(score=choice.wanted.score)  # what is compared with is shown whole
    return compare(watch.runs[other], other, prompt, step, stage, everything, besides=besides, marked=choice.marked)
