"""Where everything stands on the page."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from curriculum_verl.pages import element
from curriculum_verl.tuning.desk import Desk, run_values
from curriculum_verl.tuning.fields import KNOBS, Field, Shown, rules, stage_fields
from curriculum_verl.tuning.model import Tuning, titles
from curriculum_verl.tuning.trial import LIMITS
from curriculum_verl.web.charts import place
from curriculum_verl.web.quiet import gr, html

PICTURES = ("batch", "rates", "spent")
RULES = {"whole": "Everywhere", "stop": "Stop", "advance": "Advance", "rollback": "Rollback"} | {
    "probation": "Probation",
    "admission": "Admission",
}
ARRANGE = {"earlier": "Move earlier", "later": "Move later", "copy": "Copy", "remove": "Remove"}
MIXED = "The lines of this file end in several ways; what is saved has the most frequent one in all of them."
TEXT = "The whole file. Comments stay where a change can be made inside the text; this page says when it cannot."
LEARNER = (
    "The learner shows how a recipe behaves; it predicts no model. Reward weights play no part in it, and metrics of a "
    "real run, such as KL, have no value."
)


@dataclass(slots=True)
class Parts:
    """What events read and change, by name; `wrong` is where it is said what is wrong with a group of fields.

    `controls` are all that a reader fills in: the fields, the text, the stage that is chosen, and the simulation's.
    """

    one: dict[str, Any] = field(default_factory=dict)
    controls: dict[str, Any] = field(default_factory=dict)
    buttons: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, Any] = field(default_factory=dict)


def lay_out(tuning: Tuning, desk: Desk) -> Parts:
    """Tabs with fields, and beside them pictures and tables."""
    parts = Parts()
    parts.one["number"] = gr.Textbox(str(desk.sheets[-1].number), visible=False)
    tabs: dict[str, Callable[[Parts, Tuning, Desk], None]] = {
        "Stages": _stages,
        "Policy": _policy,
        "Rules": _rules,
        "Text": _text,
        "Simulation": _simulation,
        "Save": _save,
    }
    with gr.Row(elem_id="desk"):
        with gr.Column(scale=5, min_width=380), gr.Tabs(elem_id="tabs"):
            for name, make in tabs.items():
                with gr.Tab(name, elem_id=f"tab-{name.lower()}"):
                    make(parts, tuning, desk)
        with gr.Column(scale=6, min_width=420, elem_id="shown"):
            parts.one["standing"] = html(elem_id="standing")
            parts.buttons["undo"] = gr.Button("Undo the last change", size="sm", elem_id="undo", interactive=False)
            for name in PICTURES:
                html(place(name))
            parts.one["story"] = html(elem_id="story")
            parts.one["feed"] = html(elem_id="feed", elem_classes="cv-hidden")
    return parts


def _stages(parts: Parts, tuning: Tuning, desk: Desk) -> None:
    parts.one["stages"] = html(elem_id="stages")
    parts.controls["stage"] = gr.Dropdown(
        list(titles(desk.editing)),
        value=0,
        label="Stage to edit",
        elem_id="stage",
        allow_custom_value=True,  # a stage that is gone meanwhile is no error
    )
    with gr.Row():
        for name, words in ARRANGE.items():
            parts.buttons[name] = gr.Button(words, size="sm", elem_id=name, min_width=90)
    fields = list(stage_fields(tuning.prompts.buckets, 0))
    knobs = [_pool("knob", n, "exit") for n in range(KNOBS)]
    for group, head in (("name", ""), ("mix", "Mix: share of the batch"), ("exit", "Exit"), ("rewards", "Rewards")):
        _head(head)
        _make(parts, desk, [one for one in fields if one.group == group])
        if group == "exit":
            _make(parts, desk, knobs)
        _room_for_wrong(parts, group)


def _policy(parts: Parts, tuning: Tuning, desk: Desk) -> None:
    choose = [one for one in tuning.fields(desk.editing).values() if one.name == "policy"]
    _make(parts, desk, [*choose, *(_pool("parameter", n, "policy") for n in range(KNOBS))])
    _room_for_wrong(parts, "policy")


def _rules(parts: Parts, _: Tuning, desk: Desk) -> None:
    for group, head in RULES.items():
        _head(head)
        _make(parts, desk, [one for one in rules() if one.group == group])
        _room_for_wrong(parts, group)


def _text(parts: Parts, tuning: Tuning, desk: Desk) -> None:
    html(element("p", TEXT, class_="soft"), elem_classes="cv")
    if len(tuning.saving.line_ends()) > 1:
        html(element("p", MIXED, class_="cv-note cv-warn"), elem_classes="cv")
    parts.controls["text"] = gr.Textbox(
        desk.editing.text, label="Recipe (YAML)", lines=28, max_lines=40, elem_id="text", autoscroll=False
    )
    _room_for_wrong(parts, "text")
    parts.buttons["reset"] = gr.Button("Start over with the recipe as it was opened", size="sm", elem_id="reset")


def _simulation(parts: Parts, tuning: Tuning, _: Desk) -> None:
    values = run_values(tuning.setting)
    if tuning.logged:
        said = "The model learns, from where the rollouts stand; otherwise it answers as it did then"
        parts.controls["run_learns"] = gr.Checkbox(values["run_learns"], label=said, elem_id="run-learns")
    with gr.Row():
        for name in LIMITS:
            words, at = name.replace("_", " "), f"run-{name}"
            parts.controls[f"run_{name}"] = gr.Textbox(
                values[f"run_{name}"], label=words, elem_id=at, max_lines=1, min_width=130
            )
    _room_for_wrong(parts, "run")
    html(element("p", f"As this page was opened, {tuning.told}.", class_="soft"), elem_classes="cv")
    html(element("p", LEARNER, class_="soft"), elem_classes="cv")


def _save(parts: Parts, tuning: Tuning, _: Desk) -> None:
    saving = tuning.saving
    where = f"Written to {saving.folder}." if saving.out is None else f"Written to {saving.out}, as --out says."
    html(element("p", where, class_="soft"), elem_classes="cv")
    fixed = saving.out is not None
    parts.one["file"] = gr.Textbox(saving.suggestion, label="File name", elem_id="file", interactive=not fixed)
    parts.one["overwrite"] = gr.Checkbox(False, label="Overwrite a file that is there", elem_id="overwrite")
    parts.buttons["save"] = gr.Button("Save", elem_id="save", variant="secondary")
    parts.one["saved"] = html(elem_id="saved")


def _head(text: str) -> None:
    if text:
        html(element("h2", text), elem_classes="cv")


def _room_for_wrong(parts: Parts, group: str) -> None:
    parts.wrong[group] = html(elem_id=f"wrong-{group}")


def _make(parts: Parts, desk: Desk, fields: Iterable[Field]) -> None:
    """Fields side by side."""
    with gr.Row():
        for one in fields:
            parts.controls[one.name] = _control(one, desk.looks[one.name])


def _pool(kind: str, number: int, group: str) -> Field:
    return Field(f"{kind}_{number}", group, "", "number", ())


def _control(one: Field, look: Shown) -> Any:
    common: dict[str, Any] = {"label": look.label or one.label, "elem_id": f"field-{one.name}"}
    common |= {"visible": look.visible, "interactive": look.active}
    if one.kind in ("flag", "switch"):
        return gr.Checkbox(bool(look.value), **common, min_width=150)
    if one.kind == "choice":
        return gr.Dropdown(list(one.choices), value=look.value, **common, min_width=150)
    if one.kind == "number":
        return gr.Textbox(look.value, **common, max_lines=1, min_width=150)
    lines = 3 if one.kind == "yaml" else 1
    return gr.Textbox(look.value, **common, lines=lines, max_lines=8, min_width=240)
