"""Tool transitions as graphs: a node is as large as its tool is used, an arrow as wide as it is likely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import TYPE_CHECKING, Any

from curriculum_verl.analysis.drawing import label, new_figure, png
from curriculum_verl.analysis.measuring import END, MALFORMED, START, UNKNOWN
from curriculum_verl.analysis.tally import Cell
from curriculum_verl.palette import GREY, INK, PALE, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_ARROW, LEAST_NUMBER = 0.08, 0.15  # chances that are drawn at all, and with their number
MOST_TOOLS = 10  # of a picture; the rarest are one node
OTHERS = "(others)"
WRAPPED = 14  # letters of a name from which on it takes two lines
Point = tuple[float, float]
BEND, ALONG = 0.16, 0.42  # of an arrow as a share of its length; where its number stands
ENDS: set[Point] = {(-1.65, 0.0), (1.65, 0.0)}


def draw_graphs(cells: Mapping[str, Cell]) -> bytes:
    """One graph for every run, with the same tools in the same places."""
    cells = {name: _few(cell, _tools(cells)) for name, cell in cells.items()}
    columns = min(2, len(cells))
    rows = -(-len(cells) // columns)
    figure = new_figure(5.2 * columns, 4.7 * rows + 0.6)
    panels = figure.subplots(rows, columns, squeeze=False)
    places = layout(_tools(cells))
    for number, (axes, (name, cell)) in enumerate(zip(panels.flat, cells.items(), strict=False)):
        _draw(axes, cell, places, style(number, len(cells)).colour)
        axes.set_title(label(name), fontweight="bold", color=INK, pad=10)
    for axes in list(panels.flat)[len(cells) :]:
        axes.set_visible(False)
    figure.supxlabel(
        "node: share of attempted calls; arrow: what comes next, as wide as it is likely, as dark as it is frequent;\n"
        f"with its number from {LEAST_NUMBER:.0%} on, and none below {LEAST_ARROW:.0%}",
        fontsize=9,
        color=GREY,
    )
    return png(figure)


def _tools(cells: Mapping[str, Cell]) -> list[str]:
    """All tools, the most used first, what is no tool last."""
    count: dict[str, int] = {}
    for cell in cells.values():
        for name, number in cell.tools.items():
            count[name] = count.get(name, 0) + number
    return sorted(count, key=lambda name: (name in (MALFORMED, UNKNOWN, OTHERS), -count[name], name))


def _few(cell: Cell, tools: Sequence[str]) -> Cell:
    """The same with the rarest tools as one."""
    if len(tools) <= MOST_TOOLS:
        return cell
    kept = {*tools[: MOST_TOOLS - 1], START, END}
    made = Cell(cell.responses)
    for name, number in cell.tools.items():
        made.tools[name if name in kept else OTHERS] += number
    for (source, target), number in cell.follows.items():
        made.follows[source if source in kept else OTHERS, target if target in kept else OTHERS] += number
    return made


def layout(tools: Sequence[str]) -> dict[str, Point]:
    """The start on the left, the end on the right, tools on a circle between them; none is between the two."""
    places = {START: (-1.65, 0.0), END: (1.65, 0.0)}
    count = len(tools)
    for number, name in enumerate(tools):
        angle = pi / 2 - 2 * pi * number / count if count > 1 else pi / 2
        if count == 2:
            angle = pi / 2 if number == 0 else -pi / 2
        places[name] = (1.02 * cos(angle), 1.02 * sin(angle))
    return places


def _draw(axes: "Axes", cell: Cell, places: Mapping[str, Point], colour: str) -> None:
    from matplotlib.patches import Circle

    total = max(1, sum(cell.tools.values()))
    radii = {name: 0.12 + 0.2 * (cell.tools[name] / total) ** 0.5 if name in cell.tools else 0.12 for name in places}
    busiest = max(cell.follows.values(), default=1)
    for (source, target), chance in cell.transitions().items():
        if chance >= LEAST_ARROW:
            weight = (cell.follows[source, target] / busiest) ** 0.5
            way = _Way(chance, weight, colour)
            if source == target:
                _again(axes, way, places[source], radii[source])
            else:
                _arrow(axes, way, places[source], places[target], radii[source], radii[target])
    for name, (x, y) in places.items():
        end = name in (START, END)
        used = end or cell.tools[name] > 0
        face = "white" if end else colour if used else PALE
        looks: dict[str, Any] = {"facecolor": face, "edgecolor": INK, "linewidth": 1.2, "zorder": 3}
        if name in (MALFORMED, UNKNOWN):
            looks |= {"facecolor": PALE, "hatch": "///"}
        axes.add_patch(Circle((x, y), radii[name], **looks))
        share = "" if end or not used else f"\n{cell.tools[name] / total:.0%}"
        _name(axes, name, share, x, y, radii[name])
    axes.set(xlim=(-2.05, 2.05), ylim=(-1.75, 1.75), aspect="equal")
    axes.axis("off")


def _name(axes: "Axes", name: str, share: str, x: float, y: float, radius: float) -> None:
    """Below a node in the lower half, above one in the upper half: arrows come from within."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0}
    words = label(name.strip("()") if name in (START, END) else name, 24)
    words = words if len(words) < WRAPPED else words.replace("_", "_\n", 1)
    up = y > 0.05
    place = y + radius + 0.05 if up else y - radius - 0.05
    axes.text(
        x, place, words + share, ha="center", va="bottom" if up else "top", fontsize=8, color=INK, zorder=5, bbox=box
    )


@dataclass(frozen=True, slots=True)
class _Way:
    """What comes after a tool: how likely it is, and how frequent among all."""

    chance: float
    weight: float
    colour: str

    def draw(self, axes: "Axes", begin: Point, end: Point, bend: float) -> None:
        """The arrow, which stays clear of what it leads from and to."""
        from matplotlib.patches import FancyArrowPatch

        head = f"-|>,head_width={0.16 + 0.14 * self.chance},head_length={0.3 + 0.2 * self.chance}"
        looks: dict[str, Any] = {"color": self.colour, "linewidth": 0.6 + 4.5 * self.chance, "zorder": 2}
        looks |= {"alpha": 0.2 + 0.75 * self.weight, "mutation_scale": 16}
        axes.add_patch(FancyArrowPatch(begin, end, connectionstyle=f"arc3,rad={bend}", arrowstyle=head, **looks))


def _again(axes: "Axes", way: _Way, place: Point, radius: float) -> None:
    """A tool after itself."""
    outward = 1 if place[1] >= 0 else -1
    side = 1 if place[0] >= 0 else -1
    x = place[0] + side * radius * 0.9
    begin, end = (x, place[1] + outward * radius * 0.35), (x, place[1] - outward * radius * 0.35)
    way.draw(axes, begin, end, -1.9 * side * outward)
    _write_chance(axes, (place[0] + side * (radius + 0.24), place[1]), way.chance)


def _arrow(axes: "Axes", way: _Way, start: Point, stop: Point, first: float, second: float) -> None:
    """From one node to another, beside the way back."""
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5
    ux, uy = dx / length, dy / length
    begin, end = (start[0] + ux * first, start[1] + uy * first), (stop[0] - ux * second, stop[1] - uy * second)
    bend = _bend(start, stop)
    way.draw(axes, begin, end, bend)
    # The middle of the curve lies beside that of the chord; a bit nearer to the start, two ways do not meet.
    middle = (begin[0] + ALONG * (end[0] - begin[0]), begin[1] + ALONG * (end[1] - begin[1]))
    shift = 0.5 * bend * length
    _write_chance(axes, (middle[0] + uy * shift, middle[1] - ux * shift), way.chance)


def _bend(start: Point, stop: Point) -> float:
    """How an arrow is bent: from the start and to the end, outwards around the tools beside it."""
    ends = [point for point in (start, stop) if point in ENDS]
    if len(ends) != 1:
        return BEND
    [node] = [point for point in (start, stop) if point not in ENDS]
    if node[1] >= 0 and node[0] * ends[0][0] < 0.3:
        return BEND
    return 1.8 * BEND * (-1 if node[1] > 0 else 1)


def _write_chance(axes: "Axes", place: Point, chance: float) -> None:
    if chance >= LEAST_NUMBER:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
        axes.text(*place, f"{100 * chance:.0f}", ha="center", va="center", fontsize=7, color=INK, zorder=4, bbox=box)
