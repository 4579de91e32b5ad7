"""What the fields in the browser show, as far as the server knows: who is slower than the other changes nothing.

An answer that writes into fields has a number, which comes back with every event. By it is known what the reader saw
while typing: which value was changed, and which stage and key the field stood for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from curriculum_verl.tuning.fields import Field

MOST = 50  # answers that may be on their way


@dataclass(frozen=True, slots=True)
class Sheet:
    """The fields as of an answer: what each stands for, what it shows, and which the answer itself has written."""

    number: int
    fields: Mapping[str, Field]
    order: tuple[int, ...]
    values: Mapping[str, Any]
    written: frozenset[str] = frozenset()


Sheets = tuple[Sheet, ...]
"""From the oldest that may still be spoken of to the latest."""


def heard(sheets: Sheets, number: int, form: Mapping[str, Any]) -> tuple[Sheets, Sheet, dict[str, Any]]:
    """The sheets with what fields show, in an event that tells of the sheet of this number.

    Also that sheet, and what the reader has changed on it. What a later answer has written, the reader's value is not
    seen under for long: in the latest sheet the answer's value stands.
    """
    at = next((n for n, sheet in enumerate(sheets) if sheet.number == number), None)
    if at is None:  # of long ago: nothing is known of it but that it is not what should stand there
        latest = replace(sheets[-1], values={**sheets[-1].values, **form})
        return (*sheets[:-1], latest), latest, {}
    base = sheets[at]
    said = {name: value for name, value in form.items() if name in base.values and base.values[name] != value}
    made, seen = [*sheets[:at]], said
    for sheet in sheets[at:]:
        if sheet is not base:
            seen = {name: value for name, value in seen.items() if name not in sheet.written}
        made.append(replace(sheet, values={**sheet.values, **seen}))
    return tuple(made), base, said


def answered(sheets: Sheets, fields: Mapping[str, Field], order: tuple[int, ...], writes: Mapping[str, Any]) -> Sheets:
    """The sheets with one more, on which these values are written."""
    latest = sheets[-1]
    values = {**latest.values, **writes}
    return (*sheets[1 - MOST :], Sheet(latest.number + 1, fields, order, values, frozenset(writes)))
