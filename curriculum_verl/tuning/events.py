"""What happens on the page: every event tells what fields show, and is answered with what has changed of the page.

An answer comes at once. What comes of a recipe is played in an event of its own, which every answer sets off.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from curriculum_verl.errors import CurriculumError
from curriculum_verl.pages import Html, element
from curriculum_verl.tuning import panels, session
from curriculum_verl.tuning.desk import Desk
from curriculum_verl.tuning.figures import draw
from curriculum_verl.tuning.layout import Parts
from curriculum_verl.tuning.model import Tuning, titles
from curriculum_verl.tuning.playing import Shown
from curriculum_verl.tuning.session import MOST_STAGES, Editing
from curriculum_verl.tuning.trial import Abandoned
from curriculum_verl.web.charts import feed
from curriculum_verl.web.quiet import QUIETLY, fetch_always, gr

IN_TURN: dict[str, Any] = {**QUIETLY, "concurrency_id": "tuning", "concurrency_limit": 1}
ACTIONS: dict[str, Callable[[Desk], None]] = {
    "copy": lambda desk: desk.arrange(session.with_stage_after),
    "remove": lambda desk: desk.arrange(session.without_stage),
    "earlier": lambda desk: desk.arrange(partial(session.with_stage_moved, by=-1)),
    "later": lambda desk: desk.arrange(partial(session.with_stage_moved, by=1)),
    "reset": Desk.start_over,
    "undo": Desk.undo,
}


class Events:
    """Ties controls to a reader's desk. Texts tell of every change, also of those that come from here: no news."""

    def __init__(self, tuning: Tuning, parts: Parts, state: gr.State):
        self._tuning, self._parts, self._state = tuning, parts, state
        self._left: Editing | None = None  # what was changed last and is not saved, by any reader
        panes = [parts.one[name] for name in ("stages", "standing", "saved")]
        # The number comes first: the browser sets one after the other, and may tell of a field in between.
        self._outputs = [parts.one["number"], *parts.controls.values(), *parts.buttons.values(), *parts.wrong.values()]
        self._outputs += panes

    def listen(self, blocks: gr.Blocks) -> None:
        """Tie the events to the parts."""
        parts, one = self._parts, self._parts.one
        blocks.load(self._load, None, [self._state, *self._outputs], **IN_TURN)
        for name, control in parts.controls.items():
            event = control.change if isinstance(control, gr.Textbox) else control.input
            event(partial(self._typed, name), [self._state, one["number"], control], self._outputs, **IN_TURN)
        form = [self._state, one["number"], *parts.controls.values()]
        for name, act in ACTIONS.items():
            parts.buttons[name].click(partial(self._act, act), form, self._outputs, **IN_TURN)
        parts.buttons["save"].click(self._save, [*form, one["file"], one["overwrite"]], self._outputs, **IN_TURN)
        shown = [one[name] for name in ("standing", "feed", "story")]
        one["number"].change(self._play, self._state, shown, **QUIETLY, concurrency_limit=None)
        fetch_always()

    def _load(self) -> list[Any]:
        desk = Desk(self._tuning, self._left)
        return [desk, *self._answer(desk)]

    def _typed(self, name: str, desk: Desk | None, number: str, value: Any) -> list[Any]:
        if desk is None or not desk.hear(int(number), {name: value}):
            return self._nothing()
        return self._answer(desk)

    def _act(self, act: Callable[[Desk], None], desk: Desk | None, number: str, *form: Any) -> list[Any]:
        if desk is None:
            return self._nothing()
        desk.hear(int(number), dict(zip(self._parts.controls, form, strict=True)))
        act(desk)
        return self._answer(desk)

    def _save(self, desk: Desk | None, number: str, *form: Any) -> list[Any]:
        if desk is None:
            return self._nothing()
        *values, name, overwrite = form
        desk.hear(int(number), dict(zip(self._parts.controls, values, strict=True)))
        return self._answer(desk, self._saved(desk, str(name), bool(overwrite)))

    def _saved(self, desk: Desk, name: str, overwrite: bool) -> Html:
        try:
            path = desk.save(name, overwrite=overwrite)
        except CurriculumError as error:
            return panels.wrong([str(error)])
        except OSError as error:
            return panels.wrong([f"cannot be written: {error.strerror}"])
        said = [element("p", f"✓ written: {path}", class_="cv-note cv-good")]
        said += [] if desk.editing.comments_kept else [element("p", f"! {panels.LOST}", class_="cv-note cv-warn")]
        return element("div", *said, class_="cv", role="status")

    def _nothing(self) -> list[Any]:
        return [gr.skip()] * len(self._outputs)

    def _answer(self, desk: Desk, saved: Html | None = None) -> list[Any]:
        """The outputs: what is written into fields, what looks otherwise, and what is said."""
        known = list(titles(desk.editing))
        writes, looks = desk.answer()
        updates = []
        for name in self._parts.controls:
            update: dict[str, Any] = {"value": writes[name]} if name in writes else {}
            if name in looks:
                look = looks[name]
                update |= {"label": look.label, "visible": look.visible, "interactive": look.active}
            if name == "stage" and known != desk.titles:
                update["choices"] = known
                desk.titles = known
            updates.append(gr.update(**update) if update else gr.skip())
        can = {
            "earlier": desk.editing.stage > 0,
            "later": desk.editing.stage < len(known) - 1,
            "copy": 0 < len(known) < MOST_STAGES,
            "remove": len(known) > 1,
            "undo": bool(desk.past),
        }
        buttons = [gr.update(interactive=can[name]) if name in can else gr.skip() for name in self._parts.buttons]
        groups = desk.by_group()
        notes = [panels.wrong(groups.get(group, [])) for group in self._parts.wrong]
        if saved is None:
            saved = gr.skip() if desk.editing.text == desk.saved_text else Html("")
        if desk.editing is not self._tuning.opened:
            self._left = None if desk.editing.text == desk.saved_text else desk.editing
        panes = [panels.stages(desk.editing, desk.problems, desk.config), panels.standing(desk), saved]
        return [str(desk.sheets[-1].number), *updates, *buttons, *notes, *panes]

    async def _play(self, desk: Desk | None) -> list[Any]:
        """Play what is wanted now, unless it is shown already or is being played."""
        if desk is None or desk.turn_played == desk.playing.turn:
            return [gr.skip()] * 3
        turn = desk.turn_played = desk.playing.turn
        try:
            played = await in_a_thread(partial(_played, desk))
        except Abandoned:
            return [gr.skip()] * 3
        except asyncio.CancelledError:  # the reader is gone, or the server ends
            desk.playing.turn += 1
            raise
        if played is None or turn != desk.playing.turn:
            return [gr.skip()] * 3
        desk.playing.shown, pictures, story = played
        return [panels.standing(desk), pictures, story]


Played = tuple[Shown, Html, Html] | None
"""What is shown, with its pictures and its tables."""


def _played(desk: Desk) -> Played:
    shown = desk.playing.play()
    if shown is None:
        return None
    return shown, feed(draw(shown.now, panels.trace_of(shown.opened))), panels.story(shown)


async def in_a_thread(work: Callable[[], Played]) -> Played:
    """What comes of the work. Nobody waits for what was cancelled, but Python's own end: it would kill the thread."""
    future: Future[Played] = Future()

    def run() -> None:
        future.set_running_or_notify_cancel()  # from here on nobody cancels it but by not waiting
        try:
            future.set_result(work())
        except BaseException as error:  # whoever waits gets it
            future.set_exception(error)

    threading.Thread(target=run).start()
    return await asyncio.wrap_future(future)
