"""A picture of the run: what the batches held, and what was learned on held-out prompts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from curriculum_verl.atomic import replacing
from curriculum_verl.simulation.chart import COLOURS
from examples.demo.history import History, Validation
from examples.demo.summary import wilson


def draw(history: History, validations: Sequence[Validation], path: Path) -> None:
    """Bucket shares over the steps above, held-out pass rates with their intervals below."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    FigureCanvasAgg(figure)
    shares, rates = figure.subplots(2, sharex=True)
    steps = np.array(sorted(history.metrics))
    parts = [history.share(bucket) for bucket in history.buckets]
    shares.stackplot(steps, parts, labels=history.buckets, colors=COLOURS[: len(parts)], alpha=0.85, step="mid")
    shares.set(ylabel="share of the batch", ylim=(0, 1), title="GRPO in stages, on a CPU")
    for bucket, colour in zip(history.buckets, COLOURS, strict=False):
        counts = [(sum(found.passed[bucket].values()), len(found.passed[bucket])) for found in validations]
        middle = np.array([passed / count for passed, count in counts])
        low, high = np.array([wilson(*pair) for pair in counts]).T
        at = [found.step for found in validations]
        rates.errorbar(at, middle, (middle - low, high - middle), color=colour, marker="o", markersize=4, capsize=2)
    rates.set(ylabel="right answers, held out", xlabel="step", ylim=(0, 1))
    rates.grid(alpha=0.3)
    for switch in history.transitions:
        style = "-" if switch["kind"] == "advance" else ":"
        for axes in (shares, rates):
            axes.axvline(switch["step"] + 0.5, color="black", linestyle=style, linewidth=1)
        shares.text(switch["step"] + 1, 0.97, switch["target"], rotation=90, va="top", fontsize=8)
    figure.legend(*shares.get_legend_handles_labels(), loc="outside right upper", title="bucket")
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)
