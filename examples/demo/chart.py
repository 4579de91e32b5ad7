"""A picture of the run: what the batches held, and what was learned on held-out prompts."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from curriculum_verl.evaluation.statistics import share
from curriculum_verl.palette import COLOURS
from curriculum_verl.runs.columns import Floats
from curriculum_verl.runs.history import History
from curriculum_verl.runs.lines import ADVANCE
from examples.demo.history import Validation

WEIGHTED = "reward_weighted/"


def draw(history: History, validations: Sequence[Validation]) -> bytes:
    """Over the steps: bucket shares, right answers to held-out prompts with their intervals, reward components."""
    figure = Figure(figsize=(9, 8), layout="constrained")
    FigureCanvasAgg(figure)
    shares, rates, rewards = figure.subplots(3, sharex=True)
    steps = history.steps
    parts = [by_step(history, f"curriculum/share/{bucket}") for bucket in history.buckets]
    shares.stackplot(steps, parts, labels=history.buckets, colors=COLOURS[: len(parts)], alpha=0.85, step="mid")
    shares.set(ylabel="share of the batch", ylim=(0, 1), title="GRPO in stages, on a CPU")
    for bucket, colour in zip(history.buckets, COLOURS, strict=False):
        found = [share(np.array([*validation.passed[bucket].values()], dtype=float)) for validation in validations]
        middle, low, high = np.array([(rate.value, rate.low, rate.high) for rate in found]).T
        at = [validation.step for validation in validations]
        rates.errorbar(at, middle, (middle - low, high - middle), color=colour, marker="o", markersize=4, capsize=2)
    rates.set(ylabel="right answers, held out", ylim=(0, 1))
    for name in sorted(name for name in history.metrics.names if name.startswith(WEIGHTED)):
        rewards.plot(steps, by_step(history, name), label=name.removeprefix(WEIGHTED))
    rewards.set(ylabel="mean reward, by component", xlabel="step")
    rewards.legend(loc="upper left", fontsize=8)
    for axes in (rates, rewards):
        axes.grid(alpha=0.3)
    for switch in history.transitions:
        style = "-" if switch.kind == ADVANCE else ":"
        for axes in (shares, rates, rewards):
            axes.axvline(switch.step + 0.5, color="black", linestyle=style, linewidth=1)
        shares.text(switch.step + 1, 0.97, switch.target, rotation=90, va="top", fontsize=8)
    figure.legend(*shares.get_legend_handles_labels(), loc="outside right upper", title="bucket")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def by_step(history: History, name: str) -> Floats:
    """The metric after every step, 0 where it was not told."""
    steps, values = history.metrics.series(name)
    filled = np.zeros(len(history.steps))
    there = np.isin(steps, history.steps)
    filled[np.searchsorted(history.steps, steps[there])] = values[there]
    return filled
