"""Trajectories beside each other: a box for every step and call, downwards; what was there before is hatched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curriculum_verl.analysis.drawing import label, new_figure, png
from curriculum_verl.analysis.items import Item, shortened
from curriculum_verl.palette import COLOURS, GREY, INK, PALE, tint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 22  # boxes of a trajectory
COLUMNS = 54  # of a box's text
FACES = {"step": "white", "call": tint(COLOURS[4], 0.55), "malformed": tint(COLOURS[1], 0.6)}
FACES["answer"] = tint(COLOURS[2], 0.45)
SIGNS = {"step": " ", "call": "→", "malformed": "✗", "answer": "■"}  # told apart without colour
WORDS = {"step": "step", "call": "→ tool call", "malformed": "✗ call that cannot be made", "answer": "■ answer"}


@dataclass(frozen=True, slots=True)
class Strip:
    """One trajectory with its heading and what is said below that."""

    name: str
    said: str
    items: list[Item]


def draw_strips(title: str, strips: Sequence[Strip]) -> bytes:
    """All of them side by side."""
    from matplotlib.patches import Patch

    shown = [shortened(strip.items, MOST) for strip in strips]
    tallest = max((len(one) for one in shown), default=1) or 1
    figure = new_figure(max(6.4, 4.7 * len(strips)), 1.9 + 0.34 * tallest)
    panels = figure.subplots(1, len(strips), squeeze=False)[0]
    for axes, strip, items in zip(panels, strips, shown, strict=True):
        _draw(axes, items, tallest)
        axes.set_title(f"{label(strip.name, 40)}\n", fontweight="bold", color=INK)
        axes.text(0.5, -0.15, label(strip.said, 64), ha="center", va="bottom", fontsize=8.5, color=GREY)
    patches: list[Any] = [Patch(facecolor=FACES[kind], edgecolor=INK) for kind in FACES]
    patches.append(Patch(facecolor=PALE, edgecolor=INK, hatch="///"))
    figure.legend(patches, [*WORDS.values(), "the same as before"], loc="outside lower center", ncols=5, fontsize=8)
    figure.suptitle(label(title, 110), fontweight="bold", color=INK)
    return png(figure)


def _draw(axes: "Axes", items: Sequence[tuple[int, Item | None]], tallest: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    for row, (number, item) in enumerate(items):
        if item is None:
            following = items[row + 1][0] if row + 1 < len(items) else number + 1
            text = f"… {following - number:,} more …"
            axes.text(0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=GREY, style="italic")
            continue
        again = item.again is not None
        looks: dict[str, Any] = {"facecolor": PALE if again else FACES[item.kind], "edgecolor": INK, "linewidth": 0.8}
        if again:
            looks |= {"hatch": "///", "edgecolor": "#9aa2ab"}
        box = FancyBboxPatch((0.07, row + 0.1), 0.91, 0.76, boxstyle="round,pad=0,rounding_size=0.02", **looks)
        axes.add_patch(box)
        text = f"{SIGNS[item.kind]} {label(item.text, COLUMNS - 8 * again)}" + (f"   = {item.again}" if again else "")
        backing = {"facecolor": PALE, "edgecolor": "none", "pad": 1.2} if again else None
        axes.text(0.1, row + 0.5, text, va="center", fontsize=7.5, family="monospace", color=INK, bbox=backing)
        axes.text(0.05, row + 0.5, str(number), ha="right", va="center", fontsize=7.5, color=GREY)
    if not items:
        axes.text(0.5, 0.5, "says and does nothing", ha="center", va="center", fontsize=9, color=GREY)
    axes.set(xlim=(0, 1), ylim=(tallest, 0))
    axes.axis("off")
