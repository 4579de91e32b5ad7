"""What the default policy should reach against the best baseline and the best filter; a miss is told as a miss."""

from collections.abc import Iterator, Mapping

from report import Goal

from learning.arms import DEFAULT, Arm
from learning.comparing import accuracies, best, compare
from learning.curves import Curve
from learning.report import Curves, spent_by_all
from learning.settings import Setting

FILTERS = ("dapo", "dapo_fast", "dapo_16x4")
WANTED = {"skew": {0.7: 3.0, 0.8: 2.5}, "main": {0.7: 0.95, 0.8: 0.95}}
WANTED_OF_FILTER = {"skew": 5.0}
FEWEST = 5  # seeds by which an interval says anything


def judged(setting: Setting, arms: Mapping[str, Arm], curves: Curves) -> Iterator[Goal]:
    """The goals of a setting, as far as its runs are done."""
    baselines = {name: runs for name, runs in curves.items() if arms[name].baseline}
    if DEFAULT not in curves or not baselines or setting.name not in WANTED:
        return
    ours = curves[DEFAULT]
    filters = {name: curves[name] for name in FILTERS if name in curves}
    for target, wanted in WANTED[setting.name].items():
        yield from _fewer_tokens(setting, baselines, ours, target, wanted)
        if filters and setting.name in WANTED_OF_FILTER:
            yield from _fewer_tokens(setting, filters, ours, target, WANTED_OF_FILTER[setting.name])
    theirs = baselines[best(baselines, setting.targets)]
    until = spent_by_all({"theirs": theirs, "ours": ours}, "tokens")
    yield from _kept(setting, theirs, ours, min(setting.budget, until))


def _fewer_tokens(
    setting: Setting, others: Curves, ours: Mapping[int, Curve], target: float, wanted: float
) -> Iterator[Goal]:
    """Against the best of the others. A bound decides only where it lies on the right side of what is wanted."""
    name = best(others, [target])
    said = f"{setting.name}: tokens of `{name}` over ours, to {target:g}"
    found = compare(others[name], ours, target)
    if found is None:
        yield Goal(said, "", float("nan"), wanted, at_most=False, undecided="neither arrives in a seed that both have")
        return
    late = {"": "", ">=": f"a lower bound: `{name}` does not arrive", "<=": "an upper bound: ours does not arrive"}
    note = late.get(found.bound, "neither arrives in some seeds")

    few = f"fewer than {FEWEST} seeds" if found.seeds < FEWEST else ""

    def goal(said: str, value: float, wanted: float, open_: str = "") -> Goal:
        decided = not note or (found.bound == (">=" if value >= wanted else "<="))
        open_ = open_ or ("" if decided else note)
        told, seeds = "" if open_ else note, f"{found.seeds} seeds"
        return Goal(said, seeds, value, wanted, at_most=False, note=told, undecided=open_)

    if wanted > 1:  # so much, and that it is more at all, which the seeds should tell
        yield goal(said, found.value, wanted)
        yield goal(f"{said}, lower end of the interval", found.low, 1.0, few)
    else:  # no worse than that, which the seeds should tell, too
        yield goal(said, found.value, wanted, few or _open(found.low, wanted, found.high))


def _open(low: float, wanted: float, high: float) -> str:
    """Whether the seeds do not tell on which side of what is wanted it is."""
    return f"from {low:.2f} to {high:.2f}" if low < wanted <= high else ""


def _kept(setting: Setting, theirs: Mapping[int, Curve], ours: Mapping[int, Curve], until: float) -> Iterator[Goal]:
    """What is left of the easiest level at the worst moment, seed by seed."""
    level = next(iter(next(iter(ours.values())).accuracy))
    found = accuracies(theirs, ours, lambda run: run.least(until, level))
    if found is not None:
        value, low, high = found
        seeds = len(theirs.keys() & ours.keys())
        open_ = f"fewer than {FEWEST} seeds" if seeds < FEWEST else _open(low, 1.0, high)
        said = f"{setting.name}: least of {level} on the way, over that of the best uniform"
        yield Goal(said, f"{seeds} seeds", value, 1.0, at_most=False, undecided=open_)
