"""What happens on the page: every event answers with what has changed of it, and leaves the rest alone."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from curriculum_verl.errors import CurriculumError, InputError
from curriculum_verl.pages import Html, element
from curriculum_verl.tuning import panels, session
from curriculum_verl.tuning.figures import draw
from curriculum_verl.tuning.layout import Parts
from curriculum_verl.tuning.model import Tuning, View, titles, viewed, with_setting
from curriculum_verl.web.charts import feed
from curriculum_verl.web.quiet import QUIETLY, fetch_always, gr

# One change at a time, the last one in any case: what was typed in between need not be played.
AT_ONCE: dict[str, Any] = {**QUIETLY, "concurrency_id": "tuning", "concurrency_limit": 1}
PANELS = ("stages", "standing", "feed", "story")


class Events:
    """Gradio tells of texts that are pasted or shortened only as of any change, those that come from here among them.

    So what is sent is remembered, and when it comes back that is no change by the reader.
    """

    def __init__(self, tuning: Tuning, parts: Parts, state: gr.State):
        self._tuning, self._parts, self._state = tuning, parts, state
        self._texts = {name: one for name, one in parts.fields.items() if isinstance(one, gr.Textbox)}
        self._texts["text"] = parts.one["text"]
        shown = [parts.one[name] for name in ("text", "stage", *PANELS)]
        self._outputs = [state, *shown, *parts.wrong.values(), *parts.fields.values()]

    def listen(self, blocks: gr.Blocks) -> None:
        """Tie the events to the parts."""
        parts = self._parts
        blocks.load(self._load, self._state, self._outputs, **QUIETLY)
        for name, control in (parts.fields | {"text": parts.one["text"]}).items():
            handle = self._whole if name == "text" else partial(self._field, name)
            if name in self._texts:
                self._on(control.change, partial(self._back, name, handle), control)
                self._on(control.blur, handle, control)
            else:
                self._on(control.input, handle, control)
        self._on(parts.one["stage"].input, self._choose, parts.one["stage"])
        for name, edit in self._edits().items():
            self._on(parts.buttons[name].click, partial(self._edit, edit))
        for name, control in parts.run.items():
            self._on(control.input, partial(self._set, name), control)
        asked = [self._state, parts.one["file"], parts.one["overwrite"]]
        parts.buttons["save"].click(self._save, asked, parts.one["saved"], **AT_ONCE)
        fetch_always()

    def _on(self, event: Callable[..., Any], handle: Callable[..., Any], *controls: Any) -> None:
        event(handle, [self._state, *controls], self._outputs, **AT_ONCE)

    def _edits(self) -> dict[str, Callable[[session.Editing], session.Editing]]:
        return {
            "copy": session.with_stage_after,
            "remove": session.without_stage,
            "earlier": partial(session.with_stage_moved, by=-1),
            "later": partial(session.with_stage_moved, by=1),
            "reset": lambda _: session.opened(self._tuning.text),
        }

    def _load(self, view: View) -> list[Any]:
        """The page is there. Gradio shows 0 where a number begins with no value, and nothing only where it is told."""
        answer = self._answer(view, view)
        looks = view.shown(self._tuning)
        empty = [gr.skip() if looks[name].value is not None else gr.update(value=None) for name in self._parts.fields]
        return [*answer[: -len(empty)], *empty]

    def _back(self, name: str, handle: Callable[[View, str], list[Any]], view: View, value: str) -> list[Any]:
        """A text has changed: by the reader, or by what was sent."""
        sent = view.sent.get(name, ())
        if value not in sent:
            return handle(view, value)
        later = sent[sent.index(value) + 1 :]
        return [replace(view, sent={**view.sent, name: later}), *[gr.skip()] * (len(self._outputs) - 1)]

    def _field(self, name: str, view: View, value: Any) -> list[Any]:
        field = view.fields(self._tuning).get(name)
        if field is None or session.has(view.editing, field, value):
            return [gr.skip()] * len(self._outputs)
        if session.is_unread(view.editing, "text"):
            return self._answer(view, view, wrong={"text": "Mend the text first: it is not what the fields show."})
        editing = session.with_field(view.editing, field, value)
        return self._changed(view, editing, source=name)

    def _whole(self, view: View, text: str) -> list[Any]:
        if text == view.editing.text and not session.is_unread(view.editing, "text"):
            return [gr.skip()] * len(self._outputs)
        return self._changed(view, session.with_text(view.editing, text), source="text")

    def _choose(self, view: View, stage: int) -> list[Any]:
        return self._changed(view, session.with_stage(view.editing, stage), source="stage")

    def _edit(self, edit: Callable[[session.Editing], session.Editing], view: View) -> list[Any]:
        try:
            return self._changed(view, edit(replace(view.editing, unread=())))
        except CurriculumError as error:
            return self._answer(view, view, wrong={"text": str(error)})

    def _set(self, name: str, view: View, value: Any) -> list[Any]:
        try:
            setting = view.setting.with_value(name, value)
        except InputError as error:
            return self._answer(view, view, wrong={"run": str(error)})
        return self._answer(view, with_setting(view, self._tuning, setting))

    def _save(self, view: View, name: str, overwrite: bool) -> Html:
        if view.problems:
            return panels.wrong([f"{len(view.problems)} problems: mend them first, nothing was written"])
        try:
            path = self._tuning.saving.save(name, view.editing.text, overwrite=bool(overwrite))
        except CurriculumError as error:
            return panels.wrong([str(error)])
        except OSError as error:
            return panels.wrong([f"cannot be written: {error.strerror}"])
        said = [element("p", f"✓ written: {path}", class_="cv-note cv-good")]
        said += [] if view.editing.comments_kept else [element("p", f"! {panels.LOST}", class_="cv-note cv-warn")]
        return element("div", *said, class_="cv", role="status")

    def _changed(self, view: View, editing: session.Editing, source: str = "") -> list[Any]:
        return self._answer(view, viewed(replace(view, editing=editing), self._tuning), source)

    def _answer(self, before: View, now: View, source: str = "", wrong: dict[str, str] | None = None) -> list[Any]:
        """The outputs; what the reader is typing in, and what shows the same as before, is left alone."""
        editing, stale = now.editing, now.played is None
        sent = dict(now.sent)
        text: Any = gr.skip()
        if source != "text" and (editing.text != before.editing.text or session.is_unread(before.editing, "text")):
            text = editing.text
            sent["text"] = (*sent.get("text", ()), text)
        old, looks = before.shown(self._tuning), now.shown(self._tuning)
        updates = []
        for name in self._parts.fields:
            broken = session.is_unread(before.editing, name) and not session.is_unread(editing, name)
            if name == source or (looks[name] == old[name] and not broken):
                updates.append(gr.skip())
                continue
            look = looks[name]
            if name in self._texts and (look.value != old[name].value or broken):
                sent[name] = (*sent.get(name, ()), look.value)
            updates.append(gr.update(label=look.label, value=look.value, visible=look.visible, interactive=look.active))
        told = [
            panels.stages(editing, now.problems, None if now.played is None else now.played.config),
            panels.standing(editing, now.problems, now.played),
            feed(draw(now.last, panels.trace_of(now.opened), stale=stale)),
            panels.story(now.last, now.opened, stale=stale),
        ]
        groups = now.by_group(self._tuning) | {group: [problem] for group, problem in (wrong or {}).items()}
        notes = [panels.wrong(groups.get(group, [])) for group in self._parts.wrong]
        chosen = gr.skip() if source == "stage" else gr.Radio(list(titles(editing)), value=editing.stage)
        return [replace(now, sent=sent), text, chosen, *told, *notes, *updates]
