"""The tables: what wins and what loses, as plainly."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from learning.arms import BASELINE, Arm
from learning.comparing import Comparison, compare
from learning.curves import Axis, Curve
from learning.settings import Setting

Curves = Mapping[str, Mapping[int, Curve]]  # by arm and seed


def render(setting: Setting, arms: Mapping[str, Arm], curves: Curves) -> str:
    """Markdown of one setting."""
    lines = [f"### {setting.name}: {setting.words}", ""]
    baseline = curves.get(BASELINE, {})
    axes: tuple[Axis, ...] = ("tokens", "steps")
    for axis in axes:
        lines += [
            f"{BASELINE}'s {axis} over the arm's, until the mean accuracy is reached; above 1 the arm is faster.",
            "",
        ]
        lines += list(_ratios(setting, curves, baseline, axis))
        lines.append("")
    lines += _finals(curves)
    lines += ["", *(f"- `{name}`: {arms[name].words}" for name in curves)]
    return "\n".join(lines)


def _ratios(setting: Setting, curves: Curves, baseline: Mapping[int, Curve], axis: Axis) -> Iterator[str]:
    yield _row(["arm", "seeds", *(f"to {target:g}" for target in setting.targets)])
    yield _rule(2 + len(setting.targets))
    for name, runs in curves.items():
        cells = [
            absolute(runs, target, axis) if name == BASELINE else shown(compare(baseline, runs, target, axis))
            for target in setting.targets
        ]
        yield _row([f"`{name}`", str(len(runs)), *cells])


def shown(comparison: Comparison | None) -> str:
    """A ratio with its interval, and who arrived where not all did."""
    if comparison is None:
        return "neither arrives"
    text = f"{comparison.bound}{comparison.value:.2f}"
    if comparison.seeds > 1:
        text += f" ({comparison.low:.2f} to {comparison.high:.2f})"
    if comparison.bound:
        text += f"; arrive {comparison.arm_arrived} and {comparison.baseline_arrived} of {comparison.seeds}"
    return text


def absolute(runs: Mapping[int, Curve], target: float, axis: Axis) -> str:
    """The baseline's own spending: the median of the runs that arrived."""
    spent = [reached for run in runs.values() if (reached := run.reached(target, axis)) is not None]
    if not spent:
        return f"0 of {len(runs)} arrive"
    text = f"{np.median(spent):,.0f} {axis}"
    return text if len(spent) == len(runs) else f"{text}; {len(spent)} of {len(runs)} arrive"


def _finals(curves: Curves) -> Iterator[str]:
    levels = list(next(iter(next(iter(curves.values())).values())).accuracy)
    until = min(run.tokens[-1] for runs in curves.values() for run in runs.values())
    yield f"Means over the seeds: the area under the curve to {until:,.0f} tokens, then what was so at each run's end."
    yield ""
    yield _row(["arm", "area", *levels, f"least of {levels[0]}", "groups with a signal", "steps", "seconds"])
    yield _rule(6 + len(levels))
    for name, runs in curves.items():
        found = list(runs.values())
        cells = [_mean(run.area(until, "tokens") for run in found)]
        cells += [_mean(run.final(level) for run in found) for level in levels]
        cells += [_mean(run.lowest(levels[0]) for run in found), _mean(run.informative for run in found)]
        cells += [_mean((run.steps[-1] for run in found), ".0f"), _mean((run.seconds[-1] for run in found), ".0f")]
        yield _row([f"`{name}`", *cells])


def _mean(values: Any, form: str = ".2f") -> str:
    return format(float(np.mean(list(values))), form)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(columns: int) -> str:
    return f"| --- |{' ---: |' * (columns - 1)}"
