"""A simulation as a picture: what the batches held, and what was learned."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from curriculum_verl.atomic import replacing
from curriculum_verl.palette import INK, colours_of
from curriculum_verl.simulation.labels import in_picture
from curriculum_verl.simulation.run import Trace

MOST_LABELS = 12  # more names of stages would cover each other


def draw_trace(trace: Trace, title: str, path: Path) -> None:
    """The picture as a file."""
    figure = picture_of(trace, title)
    FigureCanvasAgg(figure)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)


def picture_of(trace: Trace, title: str) -> Figure:
    """Batch shares, pass rates and tokens by bucket over the steps of one recipe, with its transitions."""
    figure = Figure(figsize=(9, 8), layout="constrained")
    shares, rates, tokens = figure.subplots(3, sharex=True)
    steps = np.arange(1, len(trace.stages) + 1)
    colours = colours_of(len(trace.buckets))
    batch = trace.prompts / trace.prompts.sum(axis=1, keepdims=True)
    buckets = [in_picture(name) for name in trace.buckets]
    shares.stackplot(steps, batch.T, labels=buckets, colors=colours, alpha=0.85, step="mid", linewidth=0)
    shares.set(ylabel="share of the batch", ylim=(0, 1), xlim=(0, len(steps)), title=in_picture(title))
    for b, name in enumerate(buckets):
        rates.plot(np.arange(len(steps) + 1), trace.pass_rates[:, b], color=colours[b], label=name)
        tokens.plot(steps, np.cumsum(trace.tokens[:, b]), color=colours[b], label=name)
    rates.set(ylabel="pass rate", ylim=(0, 1))
    tokens.set(ylabel="tokens spent", xlabel="step")
    for axes in (shares, rates, tokens):
        _mark_transitions(axes, trace)
    if trace.alerts:  # on the upper edge of the shares
        at = [step for step, _ in trace.alerts]
        top = {"marker": "v", "color": INK, "linestyle": "", "clip_on": False, "zorder": 5}
        shares.plot(at, [1.0] * len(at), label="alert raised", **top)
    for axes in (rates, tokens):
        axes.grid(alpha=0.3)
    columns = -(-len(trace.buckets) // 30)
    figure.legend(*shares.get_legend_handles_labels(), loc="outside right upper", title="bucket", ncols=columns)
    return figure


def _mark_transitions(axes: Axes, trace: Trace) -> None:
    for transition in trace.transitions:
        style = "-" if transition.kind == "advance" else ":"
        axes.axvline(transition.step + 0.5, color="black", linestyle=style, linewidth=1)
        if axes.get_title() and len(trace.transitions) <= MOST_LABELS:
            label = f" {'to' if transition.kind == 'advance' else 'back to'} {in_picture(transition.target)}"
            axes.text(transition.step + 0.5, 0.98, label, rotation=90, va="top", fontsize=8)
