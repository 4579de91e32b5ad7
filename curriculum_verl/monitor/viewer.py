"""The trajectory viewer: which prompts of a step are offered, and what is shown of one, alone or beside another."""

from collections.abc import Sequence
from dataclasses import dataclass

from curriculum_verl.monitor.figures.drawing import names_under
from curriculum_verl.monitor.figures.rewards import TOOLS
from curriculum_verl.monitor.responses import Where, prompt_panel, prompt_text, response_panel
from curriculum_verl.monitor.rollouts import Outline
from curriculum_verl.monitor.runs import Run
from curriculum_verl.pages import Html, element
from curriculum_verl.words import counted, printable

ALL, PASSED, FAILED = "all", "passed", "failed"
MOST_PROMPTS = 300  # that are offered at once
MOST_RESPONSES = 8
NO_LOG = "This run logs no rollouts: set curriculum.rollout_log (runs of fine-tuning have none), or give --rollouts."


@dataclass(frozen=True, slots=True)
class Filter:
    """Which responses are wanted: an empty tuple of buckets is all of them; the range is of the score of that name."""

    buckets: tuple[str, ...] = ()
    outcome: str = ALL
    score: str = "reward"
    low: float | None = None
    high: float | None = None

    def responses(self, outline: Outline) -> list[int]:
        """The numbers of the responses that are wanted."""
        if self.buckets and outline.bucket not in self.buckets:
            return []
        passed, scores = outline.passed(), outline.scores(self.score)
        return [
            place
            for place in range(len(outline.reward))
            if self.outcome in (ALL, PASSED if passed[place] else FAILED)
            and self._within(scores[place] if place < len(scores) else None)
        ]

    def _within(self, value: float | None) -> bool:
        if self.low is None and self.high is None:
            return True
        return (
            value is not None and (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """The prompts that are left, as (words, number of the line), and a sentence on them."""

    prompts: list[tuple[str, int]]
    said: str


def nearest(steps: Sequence[int], wanted: int | None) -> int | None:
    """The logged step nearest to the wanted one; the latest if none is wanted."""
    if not steps:
        return None
    return steps[-1] if wanted is None else min(steps, key=lambda step: (abs(step - wanted), step))


def offer(run: Run, step: int | None, wanted: Filter) -> Offer:
    """The prompts of a step with a response that is wanted."""
    if run.rollouts is None:
        return Offer([], NO_LOG)
    if step is None:
        return Offer([], f"No rollouts yet in {run.rollouts.folder}.")
    found = run.rollouts.read(step)
    left = [(line, outline) for line, outline in enumerate(found.outlines) if wanted.responses(outline)]
    responses = sum(len(wanted.responses(outline)) for _, outline in left)
    said = f"Step {step}: {counted(len(left), 'prompt')} of {len(found.outlines):,}, {counted(responses, 'response')}."
    said += f" {counted(found.unreadable, 'line')} cannot be read." if found.unreadable else ""
    said += f" The first {MOST_PROMPTS} are offered." if len(left) > MOST_PROMPTS else ""
    return Offer([(words(outline), line) for line, outline in left[:MOST_PROMPTS]], said)


def words(outline: Outline) -> str:
    """A prompt in a list of them."""
    passed = outline.passed()
    name = printable(str(outline.id)).replace("\n", " ")
    named = name if len(name) <= 60 else name[:59] + "…"
    return f"{named} · {outline.bucket or 'no bucket'} · {sum(passed)} of {len(passed)} passed"


def show(run: Run, number: int, step: int | None, line: int | None, wanted: Filter, *, marked: bool) -> Html:
    """A prompt with those of its responses that are wanted."""
    outline = find(run, step, line)
    if outline is None or step is None or line is None or run.rollouts is None:
        return element("p", "No prompt is chosen.", class_="cv cv-card soft")
    texts, where = run.rollouts.texts(step, outline), Where(number, step, line)
    names = names_under(run, TOOLS)
    chosen = wanted.responses(outline)
    panels = [response_panel(outline, texts, place, where, names, marked=marked) for place in chosen[:MOST_RESPONSES]]
    hidden = len(outline.reward) - len(panels)
    note = [element("p", f"{counted(hidden, 'response')} not shown (filtered out, or too many).", class_="soft")]
    title = element("h2", f"{run.name}, step {step}")
    return element(
        "div",
        title,
        prompt_panel(outline, texts, where),
        element("div", *panels, class_="cv-responses"),
        *(note if hidden else []),
        class_="cv cv-pane",
    )


def compare(
    run: Run,
    number: int,
    prompt: Outline,
    near: int,
    stage: str | None,
    wanted: Filter,
    *,
    besides: int | None,
    marked: bool,
) -> Html:
    """The same prompt in another run, or another stage: where it was drawn nearest to a step, `besides` left out."""
    if run.rollouts is None:
        return element("p", NO_LOG, class_="cv cv-card soft")
    steps = [step for step in run.rollout_steps() if step != besides]
    if stage is not None:
        spans = [span for span in run.history.stays() if span.stage == stage]
        steps = [step for step in steps if any(span.first <= step <= span.last for span in spans)]
    step, looked = run.rollouts.find(prompt.id, near, steps)
    if step is None:
        where = f"stage {stage} of {run.name}" if stage is not None else run.name
        said = (
            f"Prompt {prompt.id} was not found in {where}: looked through {counted(looked, 'step')} of {len(steps):,}."
        )
        return element("p", said, class_="cv cv-card soft")
    line = next(line for line, one in enumerate(run.rollouts.read(step).outlines) if one.id == prompt.id)
    return show(run, number, step, line, wanted, marked=marked)


def find(run: Run, step: int | None, line: int | None) -> Outline | None:
    """The outline of a line of a step."""
    if run.rollouts is None or step is None or line is None:
        return None
    outlines = run.rollouts.read(step).outlines
    return outlines[line] if 0 <= line < len(outlines) else None


def whole_text(run: Run, step: int, line: int, response: int | None) -> str | None:
    """A text as it was written: the prompt's, or a response's."""
    outline = find(run, step, line) if step in run.rollout_steps() else None
    if outline is None or run.rollouts is None:
        return None
    texts = run.rollouts.texts(step, outline)
    if response is None:
        return prompt_text(texts.prompt)
    if not 0 <= response < len(texts.response):
        return None
    return prompt_text(texts.response[response])
