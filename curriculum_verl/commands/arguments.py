"""Types of arguments that commands share; what is none of them is refused in words that say what is expected."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Number = TypeVar("Number", int, float)


def path(text: str) -> Path:
    """A path; an empty one would be the folder where the user stands, which is rarely what was meant."""
    if not text:
        raise _refused(text, "a path")
    return Path(text)


def filled(text: str) -> str:
    """A text that is not blank."""
    if not text.strip():
        raise _refused(text, "a text that is not blank")
    return text


def count(text: str) -> int:
    """A whole number of at least 1."""
    return _number(text, int, lambda number: number >= 1, "a whole number of at least 1")


def whole(text: str) -> int:
    """A whole number that fits into 64 bits."""
    return _number(text, int, lambda number: 0 <= number < 2**64, "a whole number from 0 to 2**64 - 1")


def finite(text: str) -> float:
    """A number that is neither NaN nor infinite."""
    return _number(text, float, math.isfinite, "a finite number")


def share(text: str) -> float:
    """A part of a whole, neither none nor all of it."""
    return _number(text, float, lambda number: 0 < number < 1, "a number above 0 and below 1")


def gain(text: str) -> float:
    """A number from 0 to 100."""
    return _number(text, float, lambda number: 0 <= number <= 100, "a number from 0 to 100")


def _number(text: str, kind: Callable[[str], Number], fits: Callable[[Number], bool], expected: str) -> Number:
    try:
        number = kind(text)
    except ValueError:
        raise _refused(text, expected) from None
    if not fits(number):
        raise _refused(text, expected)
    return number


def _refused(text: str, expected: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"got {text!r}, expected {expected}")


def port(text: str) -> int:
    """A TCP port, 0 for any that is free."""
    number = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= number < 65536:
        raise _refused(text, "a port from 0 to 65535")
    return number
