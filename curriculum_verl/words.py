"""Numbers and texts, for people."""

import math
import re
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\n")  # how a text begins that a spreadsheet may take for a formula
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef\ud800-\udfff"
    + "".join(chr(plane + 0xFFFE) + chr(plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000))
    + "]"
)


def counted(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size(amount: float) -> str:
    """An amount of bytes."""
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.1f} GB"


def number(value: float, *, share: bool = False) -> str:
    """A number in four digits, or in per cent if it is a share; a dash where there is none."""
    if not math.isfinite(value):
        return "-"
    value += 0.0  # no minus before a zero
    if share:
        return f"{value:.0%}" if abs(value) >= 0.1 or value == 0 else f"{value:.1%}"
    return f"{value:,.0f}" if 10_000 <= abs(value) < 1e15 else f"{value:.4g}"


def printable(text: str) -> str:
    """The text with whatever could steer a terminal or break a page written as an escape; lines and tabs stay."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text.replace("\r\n", "\n"))


def no_formula(cell: Any) -> Any:
    """The cell of a CSV file; a text that a spreadsheet may take for a formula is marked as text."""
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")  # csv leaves a lone \r bare, which others take for a new row
    return f"'{text}" if text.startswith(FORMULA) else text
