"""What the page edits: each field with its place in the block, and how its value is shown and read."""

import inspect
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

import yaml

from curriculum_verl.curriculum.config import AdmissionConfig, Advance, CurriculumConfig, Probation, Rollback
from curriculum_verl.curriculum.policies import POLICIES, find_policy
from curriculum_verl.curriculum.sources import plain, read_value
from curriculum_verl.errors import InputError
from curriculum_verl.schema import shown as value_in_words
from curriculum_verl.tuning.block import Place, get, numbers
from curriculum_verl.tuning.dumping import flow

Kind = Literal["number", "flag", "choice", "text", "yaml", "switch"]
KNOBS = 8  # numbers of an exit, and parameters of a policy, that have a field of their own
LONGEST_TEXT = 5000  # characters of a field
LONGEST_NUMBER = 40
BLOCKS = {"advance": Advance, "rollback": Rollback, "probation": Probation, "admission": AdmissionConfig}
WHOLE = ("pass_threshold", "replay_floor", "forgetting_alarm")
STAGE = ("name", "share", "exit", "rewards", "knob")
"""How the names of fields begin that are those of one stage."""
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Field:
    """A value of the block; a switch puts a whole block there, with its defaults, or takes it away."""

    name: str
    group: str
    label: str
    kind: Kind
    place: Place
    default: Any = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """How a field looks: its label and value, and whether it is there and can be changed."""

    label: str
    value: Any
    visible: bool = True
    active: bool = True

    def is_like(self, other: "Shown") -> bool:
        """Whether they differ in the value alone."""
        return (self.label, self.visible, self.active) == (other.label, other.visible, other.active)


def rules() -> Iterator[Field]:
    """The fields of everything but stages and policy, in order."""
    defaults = _defaults(CurriculumConfig)
    yield from (Field(name, "whole", _words(name), "number", (name,), defaults[name]) for name in WHOLE)
    yield Field("stop", "stop", "stop: ends the run in the last stage", "yaml", ("stop",))
    for name, config in BLOCKS.items():
        if name != "advance":
            yield Field(name, name, f"{name} is on", "switch", (name,), False)
        hints = get_type_hints(config)
        for key, default in _defaults(config).items():
            choices = get_args(hints[key]) if isinstance(default, str) else ()
            kind: Kind = "choice" if choices else "flag" if isinstance(default, bool) else "number"
            yield Field(f"{name}_{key}", name, _words(key), kind, (name, key), default, choices)


def stage_fields(buckets: Sequence[str], stage: int) -> Iterator[Field]:
    """The fields of one stage; the numbers in its exit come by place, see knobs."""
    at: Place = ("stages", stage)
    yield Field("name", "name", "name", "text", (*at, "name"))
    for number, bucket in enumerate(buckets):
        yield Field(f"share_{number}", "mix", bucket, "number", (*at, "mix", bucket))
    yield Field("exit", "exit", "exit: what ends the stage", "yaml", (*at, "exit"))
    yield Field("rewards", "rewards", "rewards: weights of the components", "yaml", (*at, "rewards"))


def exit_knobs(block: Any, stage: int) -> list[Field]:
    """The first numbers in the exit of a stage."""
    places = numbers(block, ("stages", stage, "exit"))[:KNOBS]
    return [Field(f"knob_{n}", "exit", _knob(block, place), "number", place) for n, place in enumerate(places)]


def policy_fields(block: Any, own: str | None) -> list[Field]:
    """The policy's name, among ours and the recipe's own, and the parameters that are numbers."""
    choices = (*POLICIES, *([own] if own is not None else []))
    chosen = get(block, ("policy", "name")) or "mixture"
    found = [Field("policy", "policy", "policy", "choice", ("policy", "name"), "mixture", choices)]
    if chosen not in choices:
        return found
    try:
        parameters = inspect.signature(find_policy(chosen)).parameters.values()
    except (InputError, ValueError):
        return found
    named = [p for p in parameters if p.name != "pools" and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    ours = [p for p in named if p.default in (p.empty, None) or type(p.default) in (int, float)][:KNOBS]
    defaults = [None if p.default is p.empty else p.default for p in ours]
    return found + [
        Field(f"parameter_{n}", "policy", _words(p.name), "number", ("policy", p.name), default)
        for n, (p, default) in enumerate(zip(ours, defaults, strict=True))
    ]


def shown(field: Field, block: Any) -> Shown:
    """The field as it looks for a block; numbers are texts, which hold any of them as it is written."""
    value = get(block, field.place)
    if field.kind == "switch":
        return Shown(field.label, value is not None)
    active = field.group not in BLOCKS or field.group == "advance" or get(block, (field.group,)) is not None
    if field.kind == "yaml":
        return Shown(field.label, "" if value is None else flow(value))
    value = field.default if value is None else value
    if field.kind == "text":
        return Shown(field.label, "" if value is None else str(value))
    if field.kind == "number":
        return Shown(field.label, flow(value) if type(value) in (int, float) else "", active=active)
    if field.kind == "flag":
        return Shown(field.label, value is True, active=active)
    return Shown(field.label, value if value in field.choices else None, active=active)


def read(field: Field, value: Any) -> Any:
    """What a field's value puts into the block, None for nothing; an InputError where it is no value at all."""
    if field.kind in ("switch", "flag"):
        on = bool(value)
        return ({} if on else None) if field.kind == "switch" else on
    if field.kind == "choice":
        return value if isinstance(value, str) else None
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise InputError(
            f"got {len(value):,} characters, expected at most {LONGEST_TEXT:,}" if value else "got no text"
        )
    if field.kind == "number":
        return number(value) if value.strip() else None
    if field.kind == "yaml":
        try:
            return plain(read_value(value), field.label) if value.strip() else None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise InputError(f"not valid YAML: {getattr(error, 'problem', None) or error}") from None
    return value or None


def number(text: str) -> int | float:
    """The number that a text is; an InputError if it is none."""
    text = text.strip()
    if _NUMBER.fullmatch(text) and len(text) <= LONGEST_NUMBER:
        found = int(text) if text.lstrip("+-").isdigit() else float(text)
        if math.isfinite(found):
            return found
    raise InputError(f"got {value_in_words(text)}, expected a number")


def says(field: Field, value: Any, block: Any) -> bool:
    """Whether a field's value is what stands in the block."""
    try:
        return flow(read(field, value)) == flow(get(block, field.place))
    except InputError:
        return False


def _knob(block: Any, place: Place) -> str:
    """A number in words: the metric it is about and its key."""
    metric = next((m for n in range(len(place), 0, -1) if (m := get(block, (*place[:n], "metric"))) is not None), "")
    return f"{metric} {place[-1]}".strip()


def _defaults(config: type) -> dict[str, Any]:
    return {field.name: None if field.default is MISSING else field.default for field in fields(config)}


def _words(name: str) -> str:
    return name.replace("_", " ")
