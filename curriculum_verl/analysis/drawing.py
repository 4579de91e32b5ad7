"""What all pictures of an analysis share: how a figure becomes a file, and how names and axes look."""

import io
import warnings
from typing import TYPE_CHECKING, Any

from curriculum_verl.bucketing.summary import elide
from curriculum_verl.palette import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABEL = 28  # columns of a name
DPI = 144


def new_figure(width: float, height: float) -> "Figure":
    """A figure that is drawn without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    FigureCanvasAgg(figure)
    return figure


def png(figure: "Figure") -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a text in a script that the font does not have
        figure.savefig(file, format="png", dpi=DPI)
    return file.getvalue()


def label(text: str, limit: int = LABEL) -> str:
    """Text for the picture; a dollar sign would begin a formula."""
    return elide(text, limit).replace("$", r"\$")


def tidy(axes: "Axes", grid: str = "y") -> None:
    """Axes without what nobody reads."""
    axes.grid(axis=grid, alpha=0.3)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def name_legend(figure: "Figure", handles: list[Any], names: list[str], columns: int = 4) -> None:
    """A legend below; names are set afterwards, as one that begins with _ would be left out."""
    if not handles:
        return
    numbers = [str(number) for number in range(len(handles))]
    legend = figure.legend(handles, numbers, loc="outside lower center", ncols=min(columns, len(handles)))
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(label(name))
        text.set_color(INK)
