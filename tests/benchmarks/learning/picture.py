"""What was learned for how many tokens, and kept of what is easiest, as a picture of one setting."""

import io
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from curriculum_verl.atomic import replacing
from curriculum_verl.palette import GREY, style
from learning.curves import Curve, Figures
from learning.report import Curves
from learning.settings import Setting

FEWEST = 3  # seeds of an arm that is drawn: of fewer a line says little
DRAWN_OF = "curves"  # what the file says of itself: a mark of the curves that it was drawn of


def drawn(setting: Setting, curves: Curves, folder: Path) -> str:
    """Drawn in this folder, and shown on a page beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"learning_{setting.name}.png"
    with replacing(path) as file:
        file.write(draw(setting, curves))
    return f"![{setting.name}: accuracy, and what was kept of the easiest, over tokens]({folder.name}/{path.name})"


def draw(setting: Setting, curves: Curves) -> bytes:
    """A PNG file: a line for every arm, the mean over its seeds, in a band from the least of them to the greatest."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    learned, kept = figure.subplots(1, 2)
    easiest = setting.levels[0]
    shown = {name: runs for name, runs in curves.items() if len(runs) >= FEWEST} or curves
    for number, (name, runs) in enumerate(shown.items()):
        for axes, values in ((learned, _mean), (kept, lambda run: np.array(run.accuracy[easiest]))):
            _band(axes, number, len(shown), f"{name}, {len(runs)} seeds", runs, setting.late_budget, values)
    for target in setting.targets:
        learned.axhline(target, color=GREY, linestyle=":", linewidth=1)
    learned.set(ylabel="accuracy, mean over the levels", ylim=(None, 1.0))
    kept.set(ylabel=f"accuracy on {easiest}, the easiest", ylim=(None, 1.0))
    for axes in (learned, kept):
        axes.set(xlabel="generated tokens", xlim=(0, setting.budget * 1.2))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = learned.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120, metadata={DRAWN_OF: mark(curves)})
    return file.getvalue()


def mark(curves: Curves) -> str:
    """Another as soon as a figure of the curves is."""
    return sha256(msgspec.json.encode({name: dict(runs) for name, runs in curves.items()})).hexdigest()[:16]


def _mean(run: Curve) -> Figures:
    return run.mean


def _band(
    axes: Axes,
    number: int,
    count: int,
    label: str,
    runs: Mapping[int, Curve],
    longest: float,
    values: Callable[[Curve], Figures],
) -> None:
    """As far as all its seeds went."""
    until = min(longest, *(run.tokens[-1] for run in runs.values()))
    tokens = np.linspace(0, until, 200)
    rows = np.array([np.interp(tokens, run.tokens, values(run)) for run in runs.values()])
    look = style(number, count)
    dash = (0, look.dash) if look.dash else "solid"
    axes.plot(tokens, rows.mean(axis=0), color=look.colour, linestyle=dash, linewidth=1.8, label=label)
    axes.fill_between(tokens, rows.min(axis=0), rows.max(axis=0), color=look.colour, alpha=0.12, linewidth=0)
