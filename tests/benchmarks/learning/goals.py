"""What the default policy should reach against the best baseline and the best filter; a miss is told as a miss."""

from collections.abc import Iterator, Mapping

from report import Goal

from learning.arms import Arm
from learning.comparing import best, compare
from learning.curves import Curve
from learning.report import Curves
from learning.settings import Setting

DEFAULT, FILTERS = "posterior", ("dapo", "dapo_fast")
WANTED = {"skew": {0.7: 3.0, 0.8: 2.5}, "main": {0.7: 0.95, 0.8: 0.95}}
WANTED_OF_FILTER = 5.0


def judged(setting: Setting, arms: Mapping[str, Arm], curves: Curves) -> Iterator[Goal]:
    """The goals of a setting, as far as its runs are done."""
    baselines = {name: runs for name, runs in curves.items() if arms[name].baseline}
    if DEFAULT not in curves or not baselines or setting.name not in WANTED:
        return
    ours, theirs = curves[DEFAULT], baselines[best(baselines, setting.targets)]
    filters = {name: curves[name] for name in FILTERS if name in curves}
    for target, wanted in WANTED[setting.name].items():
        said = f"{setting.name}: tokens of the best uniform over ours, to {target:g}"
        found = compare(theirs, ours, target)
        if found is not None:
            yield Goal(said, f"{found.seeds} seeds", found.value, wanted, at_most=False)
            if setting.name == "skew":
                yield Goal(f"{said}, lower end of the interval", "", found.low, 1.0, at_most=False)
        if setting.name == "skew" and filters:
            beside = compare(filters[best(filters, setting.targets)], ours, target)
            if beside is not None:
                late = "" if beside.baseline_arrived == beside.seeds else "a lower bound: the filter does not arrive"
                open_ = late if beside.value < WANTED_OF_FILTER else ""
                said = f"{setting.name}: tokens of the best uniform with DAPO's filter over ours, to {target:g}"
                yield Goal(said, "", beside.value, WANTED_OF_FILTER, at_most=False, note=late, undecided=open_)
    level = next(iter(next(iter(ours.values())).accuracy))
    kept, wanted = (_kept(runs, setting.budget, level) for runs in (ours, theirs))
    yield Goal(f"{setting.name}: least of {level} on the way, uniform's own", "", kept, wanted, at_most=False)


def _kept(runs: Mapping[int, Curve], until: float, level: str) -> float:
    return sum(run.least(until, level) for run in runs.values()) / len(runs)
