"""Where a line keeps what is needed: the roles of its fields, and typed rows that decode nothing else."""

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from curriculum_verl.errors import InputError, unknown_name

# Role -> the field that holds it unless the user says otherwise. Of several, the first that a line has counts.
ROLES: dict[str, tuple[str, ...]] = {
    "id": ("id", "key", "num"),
    "prompt": ("prompt", "messages"),
    "response": ("response", "responses"),
    "reward": ("reward",),
    "score": ("score",),
    "ground_truth": ("ground_truth", "reward_model.ground_truth"),
    "data_source": ("data_source",),
    "ability": ("ability",),
    "extra_info": ("extra_info",),
}

Fields = Mapping[str, tuple[str, ...]]
Getter = Callable[[Any], Any]


def parse_fields(given: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """The fields of every role, with the user's own as `role=field`; a dot leads into an object."""
    fields = dict(ROLES)
    for text in given:
        role, _, path = text.partition("=")
        if role not in ROLES:
            raise InputError(f"fields: {unknown_name('role', role, ROLES)}; write role=field")
        if not all(path.split(".")):
            raise InputError(f"fields: got {text!r}, expected role=field, such as {role}=meta.{role}")
        fields[role] = (path,)
    return fields


def row_type(columns: Mapping[str, tuple[str, Any]]) -> tuple[type, dict[str, Getter]]:
    """A struct that decodes just these columns, name -> (path, type), and a getter for each; absent ones are UNSET.

    What lies deeper is decoded only when its getter asks for it.
    """
    kinds: dict[str, Any] = {}
    for path, kind in columns.values():
        key, _, rest = path.partition(".")
        kinds[key] = msgspec.Raw if rest or key in kinds else kind
    attributes = {key: f"field_{number}" for number, key in enumerate(kinds)}
    fields = [(attributes[key], kind | UnsetType, UNSET) for key, kind in kinds.items()]
    row = msgspec.defstruct("Row", fields, rename={attribute: key for key, attribute in attributes.items()})
    getters: dict[str, Getter] = {}
    for name, (path, kind) in columns.items():
        key, _, rest = path.partition(".")
        outer = operator.attrgetter(attributes[key])
        raw_wanted = kind is msgspec.Raw or kinds[key] is not msgspec.Raw
        getters[name] = outer if raw_wanted and not rest else _deeper(outer, key, rest, kind)
    return row, getters


def _deeper(outer: Getter, key: str, rest: str, kind: Any) -> Getter:
    """Reads a field that two roles share, or one inside an object; where there is no object, there is no field."""
    if rest:
        inner_type, getters = row_type({"it": (rest, kind)})
        inner = getters["it"]
    else:
        inner_type, inner = kind, _itself
    decode: Callable[[Any], Any] = msgspec.json.Decoder(inner_type).decode

    def get(row: Any) -> Any:
        raw = outer(row)
        if raw is UNSET or (rest and not bytes(raw).lstrip().startswith(b"{")):
            return UNSET
        try:
            return inner(decode(raw))
        except msgspec.ValidationError as error:
            what, _, place = str(error).partition(" - at `$")
            raise msgspec.ValidationError(f"{what} - at `$.{key}{place or '`'}") from error

    return get


def _itself(found: Any) -> Any:
    return found
