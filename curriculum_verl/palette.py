"""One palette for every picture: told apart with every kind of colour vision, and by hatch, mark and dash without it.

style(0).colour, style(0).hatch        # of the first of a few runs, models or buckets
shades(5)                              # of things in order: from light, easy, to dark, hard
"""

from dataclasses import dataclass

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")  # Okabe and Ito's
HATCHES = ("", "///", "...", "xxx", "ooo", "---", "+++")
MARKERS = "osD^vP*X"
DASHES: tuple[tuple[int, ...], ...] = ((), (6, 2), (2, 2), (6, 2, 2, 2), (1, 3))  # lengths on and off, in points
INK, GREY, PALE = "#30363d", "#6e7781", "#e6e8eb"  # texts and lines, what says less, what is not there
_SCALE = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")  # viridis


@dataclass(frozen=True, slots=True)
class Style:
    """How one of several things is drawn; hatch and mark are matplotlib's signs for them."""

    colour: str
    hatch: str
    mark: str
    dash: tuple[int, ...]


def style(position: int, count: int = 1) -> Style:
    """The style of one of `count`; colours are easily told apart while there are few, else a scale, dark to light."""
    few = count <= len(COLOURS)
    colour = COLOURS[position % len(COLOURS)] if few else scale(position / (count - 1))
    hatch = HATCHES[position % len(HATCHES)] if few else ""
    return Style(colour, hatch, MARKERS[position % len(MARKERS)], DASHES[position % len(DASHES)])


def colours_of(count: int) -> list[str]:
    """The colours of so many things, as `style` gives them."""
    return [style(position, count).colour for position in range(count)]


def shades(count: int) -> list[str]:
    """From light (easy) to dark (hard)."""
    return [scale(0.95 * (1 - (place + 0.5) / count)) for place in range(count)]


def tint(colour: str, share: float) -> str:
    """The colour on white paper, so strong: dark text can be read on it."""
    return "#" + "".join(f"{round(255 - share * (255 - channel)):02x}" for channel in _channels(colour))


def scale(share: float) -> str:
    """A colour between dark, at 0, and light, at 1."""
    at = min(1.0, max(0.0, share)) * (len(_SCALE) - 1)
    low = min(int(at), len(_SCALE) - 2)
    channels = zip(_channels(_SCALE[low]), _channels(_SCALE[low + 1]), strict=True)
    return "#" + "".join(f"{round(first + (at - low) * (second - first)):02x}" for first, second in channels)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
