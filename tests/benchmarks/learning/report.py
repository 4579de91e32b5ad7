"""The tables: what wins and what loses, as plainly."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
from report import table

from learning.arms import DEFAULT, Arm, told_all
from learning.comparing import LEAST, Comparison, accuracies, best, compare, geometric
from learning.curves import Axis, Curve
from learning.settings import Setting

Curves = Mapping[str, Mapping[int, Curve]]  # by arm and seed
AXES: tuple[Axis, ...] = ("tokens", "steps", "seconds")


def render(setting: Setting, arms: Mapping[str, Arm], curves: Curves, *pictures: str) -> str:
    """Markdown of one setting, pictures first; figures after equally much of what was spent."""
    baselines = {name: runs for name, runs in curves.items() if arms[name].baseline}
    parts = [f"### {setting.name}: {setting.words}", *pictures]
    baseline = best(baselines, setting.targets) if baselines else None
    if baseline:
        which = f"the {'best' if len(baselines) > 1 else 'only'} baseline, `{baseline}`,"
        parts += [_ratios(setting, curves, baseline, which, axis) for axis in AXES]
    seen = {name: curves[name] for name in (baseline, DEFAULT) if name in curves} or curves
    parts += [
        _accuracies(curves, baseline, min(setting.budget, spent_by_all(seen, "tokens")), "tokens"),
        _accuracies(curves, baseline, spent_by_all(seen, "steps"), "steps"),
        _described(arms, curves),
    ]
    return "\n\n".join(parts)


def spent_by_all(curves: Curves, axis: Axis) -> float:
    """Up to where every one of these runs was looked at."""
    return float(min(run.axis(axis)[-1] for runs in curves.values() for run in runs.values()))


def _ratios(setting: Setting, curves: Curves, baseline: str, which: str, axis: Axis) -> str:
    """Of one axis, to every target."""

    def cells() -> Iterator[list[str]]:
        for name, runs in curves.items():
            told = [
                absolute(runs, target, axis)
                if name == baseline
                else shown(compare(curves[baseline], runs, target, axis))
                for target in setting.targets
            ]
            yield [f"`{name}`", str(len(runs)), *told]

    titles = ["arm", "seeds", *(f"to {target:g}" for target in setting.targets)]
    said = f"{axis.capitalize()} of {which} over the arm's; above 1 the arm is faster."
    if axis == "seconds":
        said += (
            " They are those of verl's steps as they passed: runs that are done side by side slow each other, so these "
            "tell of the machine as much as of the arms."
        )
    return f"{said}\n\n{table(titles, cells())}"


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
    """The baseline's own spending: the geometric mean of the runs that arrived, as of ratios."""
    spent = [reached for run in runs.values() if (reached := run.reached(target, axis)) is not None]
    if not spent:
        return f"0 of {len(runs)} arrive"
    text = f"{geometric(spent):,.0f} {axis}"
    return text if len(spent) == len(runs) else f"{text}; {len(spent)} of {len(runs)} arrive"


def _accuracies(curves: Curves, baseline: str | None, until: float, axis: Axis) -> str:
    """What every arm has learned of every level when so much was spent, and what it forgot of the easiest."""
    levels = list(next(iter(next(iter(curves.values())).values())).accuracy)
    figures: dict[str, Callable[[Curve], float]] = {
        "area": lambda run: run.area(until, axis),
        **{level: partial(Curve.after, until=until, level=level, axis=axis) for level in levels},
        f"least of {levels[0]}": lambda run: run.least(until, levels[0], axis),
    }

    def means(name: str, runs: Mapping[int, Curve]) -> Iterator[str]:
        yield told(name, runs)
        yield str(len(runs))
        for figure in figures.values():
            yield f"{np.mean([figure(run) for run in runs.values()]):.2f}"
        yield f"{np.mean([run.looks(until, axis) for run in runs.values()]):.0f}"

    def told(name: str, runs: Mapping[int, Curve]) -> str:
        ends = min(float(run.axis(axis)[-1]) for run in runs.values())
        return f"`{name}`" + (f", ends at {ends:,.0f}" if ends < until else "")

    first = next(iter(next(iter(curves.values())).values()))
    before = ["before", "", "", *(f"{first.accuracy[level][0]:.2f}" for level in levels), "", ""]
    said = (
        f"After {until:,.0f} {axis}, means over the seeds; one that ends earlier is shown as it ended. The area is the "
        "mean accuracy on the way; the more looks, the lower the least of them."
    )
    titles = ["arm", *figures]
    shown = [before, *(list(means(name, runs)) for name, runs in curves.items())]
    parts = [said, table(["arm", "seeds", *figures, "looks"], shown)]
    if baseline and len(curves) > 1:
        others = [
            [told(name, runs), *(_paired(curves[baseline], runs, figure) for figure in figures.values())]
            for name, runs in curves.items()
            if name != baseline
        ]
        said = f"The same over that of `{baseline}`; above 1 the arm is better. Less than {LEAST} counts as {LEAST}."
        parts += [said, table(titles, others)]
    return "\n\n".join(parts)


def _paired(baseline: Mapping[int, Curve], runs: Mapping[int, Curve], figure: Callable[[Curve], float]) -> str:
    found = accuracies(baseline, runs, figure)
    if found is None:
        return "no seed in common"
    value, low, high = found
    return f"{value:.2f} ({low:.2f} to {high:.2f})" if len(baseline.keys() & runs.keys()) > 1 else f"{value:.2f}"


def _described(arms: Mapping[str, Arm], curves: Curves) -> str:
    def lines() -> Iterator[str]:
        for name, runs in curves.items():
            share = np.mean([run.informative for run in runs.values()])
            validation = np.mean([run.validation for run in runs.values()])
            besides = f"; its validations took {validation:,.0f} tokens, which are not counted" if validation else ""
            yield f"- `{name}`: {arms[name].words}; {share:.0%} of its groups had a signal{besides}"

        if lacking := [f"`{name}`" for name in arms if name not in curves]:
            yield f"- without a run in this setting: {', '.join(lacking)}"

    return f"{told_all()}\n\n" + "\n".join(lines())
