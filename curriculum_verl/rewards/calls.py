"""One call of an operation, read from JSON or from call syntax; what is wrong with it is a fault, never an error."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

Fault = Literal["unclosed", "syntax", "name", "unknown_operation", "arguments"]

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_CONSTANTS = {"true": "true", "True": "true", "false": "false", "False": "false", "null": "null", "None": "null"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_LONGEST_NAME = 64  # of an unknown operation: it is only shown
_DEEPEST = 64  # brackets inside brackets: what is read here is read again elsewhere, maybe with less stack left
# Possessive, and matched from one token's end on: a text is read once, whatever stands in it.
_TOKEN = re.compile(
    r"""\s*+(?:
        (?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+" | '[^'\\]*+(?:\\.[^'\\]*+)*+')
      | (?P<number>[-+]?+(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][-+]?+[0-9]++)?+)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*+)
      | (?P<mark>[\[\](){},:=])
      | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*+)\s*+=")
_NUMBER = r"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+"
_PLAIN = re.compile(rf"(?:\w++=(?:{_NUMBER}|\[{_NUMBER}(?:,\ *+{_NUMBER})*+\])(?:,\ *+|\Z))*+", re.ASCII)
_BRACKET = re.compile(r"[\[\]{}]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BRACKETS = {"(": ("[", 1), "[": ("[", 1), "{": ("{", 1), ")": ("]", -1), "]": ("]", -1), "}": ("}", -1)}


@dataclass(frozen=True, slots=True)
class Operation:
    """One call: `arguments` is JSON with sorted keys, empty if the call is malformed; `step` steps came before it."""

    name: str
    arguments: str
    fault: Fault | None = None
    step: int = 0


def malformed(fault: Fault, name: str = "") -> Operation:
    """A call that cannot be made."""
    return Operation(name[:_LONGEST_NAME], "", fault)


def read_json(value: Any, names: Collection[str]) -> list[Operation] | None:
    """The calls that a JSON value makes, in any of the usual shapes; None if it makes none."""
    if isinstance(value, list):
        found = [_read_object(item, names) for item in value]
        return [call for call in found if call] if found and all(found) else None
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        return [_read_object(item, names) or malformed("syntax") for item in value["tool_calls"]]
    call = _read_object(value, names)
    return [call] if call else None


def _read_object(value: Any, names: Collection[str]) -> Operation | None:
    if not isinstance(value, dict):
        return None
    for wrapped in ("function", "function_call"):
        if isinstance(value.get(wrapped), dict):
            value = value[wrapped]
            break
    key = "arguments" if "arguments" in value else "parameters"
    if "name" not in value or key not in value:
        return None
    name, arguments = value["name"], value[key]
    if not isinstance(name, str):
        return malformed("name")
    if name not in names:
        return malformed("unknown_operation", name)
    if isinstance(arguments, str):  # OpenAI writes the arguments as JSON inside a string
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return malformed("arguments", name)
    return _with_arguments(name, arguments)


def _with_arguments(name: str, arguments: Any) -> Operation:
    if not isinstance(arguments, dict):
        return malformed("arguments", name)
    try:
        written = _CANONICAL.encode(arguments)
    except (ValueError, RecursionError):
        return malformed("arguments", name)
    return malformed("arguments", name) if _too_deep(written) else Operation(name, written)


def _too_deep(written: str) -> bool:
    if written.count("[") + written.count("{") <= _DEEPEST:
        return False
    depths = accumulate(1 if bracket in "[{" else -1 for bracket in _BRACKET.findall(written))
    return max(depths) > _DEEPEST


def read_call_syntax(line: str, names: Collection[str]) -> Operation | None:
    """The call that is the whole line, such as ZOOM_IN(x=1, y=[2, 3]); None if the line is prose."""
    name, bracket, rest = line.partition("(")
    if not bracket or name not in names:
        return None
    if not rest.endswith(")"):
        return None if ")" in rest else malformed("unclosed", name)
    try:
        written = _as_json(rest[:-1])
        return None if written is None else _with_arguments(name, json.loads(written))
    except (ValueError, RecursionError):
        return malformed("arguments", name)


def _as_json(text: str) -> str | None:
    """Arguments in call syntax as a JSON object, positional ones under their number; None if a bracket closes early."""
    if _PLAIN.fullmatch(text):  # the usual case in a fifth of the time
        return "{" + _KEY.sub(r'"\1":', text) + "}"
    pieces, depth, position, at, fresh = ["{"], 0, 0, 0, True
    while token := _TOKEN.match(text, at):
        at, kind = token.end(), token.lastgroup
        if kind == "end":
            return "".join([*pieces, "}"])
        part = token[str(kind)]
        if kind == "mark" and depth == 0 and part in ")]}":
            return None
        if fresh:
            fresh = False
            after = _TOKEN.match(text, at) if kind == "word" else None
            if after and after["mark"] == "=":
                pieces.append(f'"{part}":')
                at = after.end()
                continue
            pieces.append(f'"{position}":')
        if kind == "mark":
            written, change = _BRACKETS.get(part, (part, 0))
            depth += change
            if part == "," and depth == 0:
                fresh, position = True, position + 1
            pieces.append(written)
        else:
            pieces.append(_scalar(str(kind), part))
    raise ValueError(f"no token at {at}")


def _scalar(kind: str, part: str) -> str:
    if kind == "string":
        return json.dumps(_ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), part[1:-1]))
    if kind == "number":
        return json.dumps(float(part) if any(sign in part for sign in ".eE") else int(part))
    if part not in _CONSTANTS:
        raise ValueError(f"{part} is no value")
    return _CONSTANTS[part]
