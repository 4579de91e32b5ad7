"""Every picture of the monitor, as a pure function of a view; `draw` makes those of some names."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from curriculum_verl.monitor.figures import buckets, rewards, stages, training
from curriculum_verl.monitor.view import View
from curriculum_verl.web.charts import Chart

CHARTS: dict[str, Callable[[View], Chart]] = {
    "success": training.success,
    "reward-now": rewards.now,
    "reward-weighted": rewards.weighted,
    "reward-raw": rewards.raw,
    "tools": rewards.tools,
    "timeline": stages.timeline,
    "exit": stages.exit_tests,
    "shares": buckets.shares,
    "bucket-success": buckets.success,
    "validation": buckets.validation,
    "forgetting": buckets.forgetting,
    "tokens": buckets.tokens,
    "kl": training.kl,
    "filtering": training.filtering,
    "length": training.length,
    "entropy": training.entropy,
    "loss": training.loss,
    "gradient": training.gradient,
    "learning-rate": training.learning_rate,
}


def draw(view: View, names: Iterable[str]) -> dict[str, Chart]:
    """The pictures of these names."""
    return {name: replace(CHARTS[name](view), of=of_runs(view)) for name in names}


def of_runs(view: View) -> str:
    """What a picture of the view is of."""
    steps = f", the last {view.last:,} steps" if view.last is not None else ""
    return ", ".join(f"{run.name} (to step {run.history.step:,})" for run in view.runs) + steps
