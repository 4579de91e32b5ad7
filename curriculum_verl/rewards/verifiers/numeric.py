"""Numeric match: numbers in many notations, with tolerances, units and percent."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.verifiers.answers import accepted_answers, after_thinking, marked_answer
from curriculum_verl.rewards.verifiers.settings import NumericSettings
from curriculum_verl.rewards.verifiers.units import MAGNITUDES, known_unit, unit_named

_LONGEST = 200  # characters of one answer
_TAIL = 2000  # characters at the end of a response without a marked answer in which its last number is looked for

_DECIMAL = (
    r"(?:\d{1,3}(?:[, _]\d{3})+(?!\d)|\d{1,60})(?:\.\d{0,60})?(?:[eE][+-]?\d{1,3})?|\.\d{1,60}(?:[eE][+-]?\d{1,3})?"
)
_NUMBER = rf"[+-]?(?:(?P<whole>\d{{1,30}})[ ]+(?=\d{{1,30}}/))?(?P<top>{_DECIMAL})(?:[ ]?/[ ]?(?P<bottom>{_DECIMAL}))?"
_BEHIND = rf"[ ]?(?P<percent>%|percent\b)?[ ]?(?:(?P<magnitude>(?i:{'|'.join(MAGNITUDES)}))s?\b)?[ ]?"
_QUANTITY = re.compile(rf"(?P<number>{_NUMBER}){_BEHIND}(?P<unit>[^\d%]{{0,40}})")
# In running text a unit is a word by itself: not the beginning of one, nor of m/s, cm^2 or km per hour.
_WORD = r"(?:(?P<unit>[^\W\d_]{1,12})(?![\w/^*\u00b2\u00b3]|[ ](?:per|squared|cubed)\b))?"
_IN_TEXT = re.compile(rf"(?<![\w.])(?P<number>{_NUMBER}){_BEHIND}{_WORD}")
_FRACTION = re.compile(r"([+-]?)\\[dt]?frac[ ]?(?:\{([^{}]{1,40})\}|(\d))[ ]?(?:\{([^{}]{1,40})\}|(\d)(?!\d))")
_POWER = re.compile(r"[ ]?(?:\\times|\\cdot|\u00d7|\*|x)[ ]?10\^\{?([+-]?\d{1,3})\}?")
_TEXT = re.compile(r"\\(?:text|mathrm|textbf)\{([^{}]{0,60})\}")
_DROPPED = re.compile(r"\\[,!;: ]|\{,\}|\\left|\\right|[$€£¥]|\\\$|\^\{?\\circ\}?")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with what stands behind it."""

    value: float
    percent: bool = False
    unit: str = ""


@dataclass(frozen=True, slots=True)
class NumericVerifier:
    """Compares the marked answer, or else the last number of the response.

    A unit counts only where both sides have one; in running text, only one that is known. When one side alone has a
    percent sign, 50% is both 50 and 0.5.
    """

    settings: NumericSettings = field(default_factory=NumericSettings)

    def score(self, response: Response) -> Score:
        """1 within the tolerances, the value of the best soft band, or 0; no number is 0."""
        truths = [_truth(answer) for answer in accepted_answers(response.ground_truth)]
        text = after_thinking(response.text)
        marked = marked_answer(text)
        answer = last_number(text) if marked is None else (read_quantity(marked) or last_number(marked))
        parts = {"marked": float(marked is not None), "found": float(answer is not None)}
        if answer is None:
            return Score(0.0, parts)
        return Score(max(self._credit(answer, truth) for truth in truths), parts)

    def _credit(self, answer: Quantity, truth: Quantity) -> float:
        if answer.unit and truth.unit and answer.unit != truth.unit:
            return 0.0
        return max(self._closeness(value, wanted) for value, wanted in _readings(answer, truth))

    def _closeness(self, value: float, wanted: float) -> float:
        error = abs(value - wanted)
        if error <= max(self.settings.absolute_tolerance, self.settings.relative_tolerance * abs(wanted)):
            return 1.0
        bands = [band.value for band in self.settings.soft_bands if error <= band.within * abs(wanted)]
        return max(bands, default=0.0)


def _readings(answer: Quantity, truth: Quantity) -> list[tuple[float, float]]:
    if answer.percent == truth.percent:
        return [(answer.value, truth.value)]
    if answer.percent:
        return [(answer.value, truth.value), (answer.value / 100, truth.value)]
    return [(answer.value, truth.value), (answer.value, truth.value / 100)]


def _truth(answer: Any) -> Quantity:
    if isinstance(answer, int | float) and not isinstance(answer, bool) and math.isfinite(answer):
        return Quantity(float(answer))
    text = answer.rpartition("####")[2] if isinstance(answer, str) else ""
    quantity = read_quantity(text)
    if quantity is None:
        raise InputError(f"ground truth: got {str(answer)[:60]!r}, expected a number")
    return quantity


def read_quantity(text: str) -> Quantity | None:
    """A text that is one number, perhaps with a sign, currency, percent or unit: 1,234.5 km, 3/4, 2 1/2, 3 x 10^5."""
    if len(text) > _LONGEST:
        return None
    text = _plain(text).rpartition("=")[2].strip().rstrip(".").strip()
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    value = _value(found)
    unit = found["unit"].strip(" .()")
    if value is None or "," in unit or "/" in unit[:1]:
        return None
    return Quantity(value, found["percent"] is not None, unit_named(unit))


def last_number(text: str) -> Quantity | None:
    """The last number in a text; the word behind it is a unit when it is known as one."""
    found = [(_value(match), match) for match in _IN_TEXT.finditer(_plain(text[-_TAIL:]))]
    readable = [
        Quantity(value, match["percent"] is not None, known_unit(match["unit"] or ""))
        for value, match in found
        if value is not None
    ]
    return readable[-1] if readable else None


def _plain(text: str) -> str:
    text = text.replace("\u2212", "-").replace("\u00a0", " ").replace("\u202f", " ").replace("\\%", "%")
    text = _TEXT.sub(r" \1", _DROPPED.sub("", text))
    text = _POWER.sub(r"e\1", _FRACTION.sub(r" \1\2\3/\4\5", text))
    return " ".join(text.split())


def _value(found: re.Match[str]) -> float | None:
    try:
        value = _number(found["top"]) / _number(found["bottom"]) if found["bottom"] else _number(found["top"])
    except ZeroDivisionError:
        return None
    value = (value + float(found["whole"] or 0)) * MAGNITUDES.get((found["magnitude"] or "").casefold(), 1.0)
    value = -value if found["number"].startswith("-") else value
    return value if math.isfinite(value) else None


def _number(text: str) -> float:
    return float(text.replace(",", "").replace(" ", "").replace("_", ""))
