"""The tab of the trajectory viewer: its controls, and what they do."""

import math
from functools import partial
from typing import Any

from curriculum_verl.monitor.looking import ANY_STAGE, NOTHING, SAME_RUN, SCORES, Choice, look
from curriculum_verl.monitor.viewer import ALL, FAILED, PASSED, Filter
from curriculum_verl.monitor.watch import Watch
from curriculum_verl.pages import Html, element
from curriculum_verl.web.quiet import AS_SENT, gr, html

# Gradio takes waiting events in any order, so an answer to what was chosen before could come last; in turn it cannot.
IN_TURN: dict[str, Any] = {**AS_SENT, "concurrency_id": "viewer"}


class Trajectories:
    """Builds the tab. `listen` afterwards, with what makes it look for a later step."""

    def __init__(self, watch: Watch):
        self._watch = watch
        names = [run.name for run in watch.runs]
        several = len(names) > 1
        with gr.Row():
            self._run = gr.Dropdown(names, value=names[0], label="Run", elem_id="viewer-run", visible=several)
            self._step = gr.Number(None, label="Step (the nearest logged)", precision=0, elem_id="viewer-step")
            self._earlier = gr.Button("Earlier step", elem_id="viewer-earlier", size="sm")
            self._later = gr.Button("Later step", elem_id="viewer-later", size="sm")
            self._follow = gr.Checkbox(
                True, label="Follow the latest step", elem_id="viewer-follow", container=False, min_width=190
            )
            self._marked = gr.Checkbox(
                True, label="Mark steps and calls", elem_id="viewer-marked", container=False, min_width=190
            )
        with gr.Row():
            self._buckets = gr.Dropdown([], label="Buckets (none: all)", multiselect=True, elem_id="viewer-buckets")
            self._outcome = gr.Radio(
                [ALL, PASSED, FAILED], value=ALL, label="Responses", elem_id="viewer-outcome", min_width=280
            )
            self._score = gr.Dropdown(list(SCORES), value=SCORES[0], label="Score", elem_id="viewer-score")
            self._low = gr.Textbox("", label="Score from", placeholder="any", elem_id="viewer-low", min_width=90)
            self._high = gr.Textbox("", label="Score to", placeholder="any", elem_id="viewer-high", min_width=90)
        with gr.Row():
            self._prompt = gr.Dropdown([], label="Prompt", elem_id="viewer-prompt", scale=3)
            runs = [NOTHING, SAME_RUN, *(names if several else [])]
            self._beside = gr.Dropdown(
                runs, value=NOTHING, label="Beside it, the same prompt in", elem_id="viewer-beside"
            )
            self._stage = gr.Dropdown([ANY_STAGE], value=ANY_STAGE, label="… drawn in", elem_id="viewer-stage")
        self._said = html(elem_id="viewer-said", elem_classes="cv")
        with gr.Row(elem_id="viewer-panes"):
            self._left, self._right = html(elem_id="viewer-left"), html(elem_id="viewer-right")
        self._seen = gr.State(None)  # the latest step when this was shown

    def listen(self, triggers: list[Any], tab: Any) -> None:
        """What is chosen is shown; while the latest step is followed, the triggers show a later one."""
        choices: list[Any] = [
            self._run,
            self._step,
            self._follow,
            self._prompt,
            self._buckets,
            self._outcome,
            self._score,
        ]
        choices += [self._low, self._high, self._beside, self._stage, self._marked]
        shown: list[Any] = [self._step, self._follow, self._prompt, self._buckets, self._score, self._stage]
        shown += [self._said, self._left, self._right, self._seen]
        # A text that is pasted, or a bucket that is erased, is a change; of the others one may be the page's own.
        heard = [
            one.change if one in (self._low, self._high, self._buckets) else one.input
            for one in choices
            if one is not self._step
        ]
        # One event for all of them: of two requests under way the older could arrive last, and its answer would stay.
        gr.on(heard, self._look, choices, shown, **IN_TURN)
        self._step.input(partial(self._look, stays=False), choices, shown, **IN_TURN)
        for button, move in ((self._earlier, -1), (self._later, 1)):
            button.click(partial(self._look, stays=False, move=move), choices, shown, **IN_TURN)
        gr.on(triggers, self._follow_latest, [tab, self._seen, *choices], shown, **IN_TURN)

    def _follow_latest(self, tab: str, seen: int | None, *choices: Any) -> tuple[Any, ...]:
        run, follow = choices[0], choices[2]
        with self._watch.lock:
            steps = next((one.rollout_steps() for one in self._watch.runs if one.name == run), [])
        latest = steps[-1] if steps else -1
        if tab != "trajectories" or latest == seen or not (follow or seen is None):
            return (gr.skip(),) * 10
        return self._look(*choices)

    def _look(self, *given: Any, stays: bool = True, move: int = 0) -> tuple[Any, ...]:
        run, step, follow, line, buckets, outcome, score, low, high, beside, stage, marked = given
        follow = bool(follow and stays)
        (low, wrong), (high, also) = limit("Score from", low), limit("Score to", high)
        wanted = Filter(tuple(buckets or ()), outcome or ALL, score or SCORES[0], low, high)
        start = None if follow or step is None else round(step)
        choice = Choice(run, start, line, wanted, beside or NOTHING, stage or ANY_STAGE, bool(marked), move)
        with self._watch.lock:
            shown = look(self._watch, choice)
            steps = next((one.rollout_steps() for one in self._watch.runs if one.name == run), [])
        typed = not stays and not move  # a number is not changed under the hands that write it
        return (
            gr.skip() if typed else shown.step,
            follow,
            gr.update(choices=shown.prompts, value=shown.line),
            _offered(shown.buckets, list(wanted.buckets), list(shown.wanted.buckets)),
            _offered(shown.scores, wanted.score, shown.wanted.score),
            _offered(shown.stages, choice.stage, shown.stage),
            element("div", element("p", shown.said), *_complaints(wrong + also)),
            shown.left,
            shown.right,
            steps[-1] if steps else -1,
        )


def _offered(choices: list[str], given: Any, left: Any) -> Any:
    """What can be chosen; a value only if the given one is not among it, lest it undo what was chosen meanwhile."""
    return gr.update(choices=choices) if given == left else gr.update(choices=choices, value=left)


def _complaints(wrong: list[str]) -> list[Html]:
    return [element("p", one, class_="cv-bad cv-note", role="alert") for one in wrong]


def limit(name: str, text: str) -> tuple[float | None, list[str]]:
    """A limit of the scores, and what is wrong with it if it is no number; without one nothing is left out."""
    if not text.strip():
        return None, []
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number, []
    return None, [f"{name}: got {text!r}, expected a number such as 0.5; it leaves out no response."]
