"""How several things in a picture are drawn, so that they are told apart with colour and without."""

from dataclasses import dataclass

from curriculum_verl.palette import shades, style

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "x", "star")
PATTERNS = ("", "/", ".", "x", "\\", "-", "+", "|")
OVER = {"fillmode": "overlay", "fgcolor": "white", "size": 7, "solidity": 0.25}  # of a pattern: on top of the colour


@dataclass(frozen=True, slots=True)
class Look:
    """How one of several things is drawn."""

    colour: str
    dash: str
    symbol: str
    pattern: str


def look(place: int, count: int = 1, colour: str | None = None) -> Look:
    """The look of one of several."""
    given = style(place, count)
    dash = ",".join(f"{length}px" for length in given.dash) or "solid"
    return Look(colour or given.colour, dash, SYMBOLS[place % len(SYMBOLS)], PATTERNS[place % len(PATTERNS)])


def bucket_look(place: int, count: int) -> Look:
    """The look of a bucket: from light, easy, to dark, hard."""
    return look(place, count, shades(count)[place])
