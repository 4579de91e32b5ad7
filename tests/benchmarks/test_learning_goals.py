"""The goals of the benchmark of learning: against whom, and what decides."""

import pytest

RISING = [step / 20 for step in range(20)]


def told_goals(learning, seeds: int = 1, setting: str = "skew", **runs: object) -> dict[str, tuple[float, str]]:
    """Of runs, each for all seeds unless it is a list of its own by seed."""
    from report import render_goals

    curves = {
        name: dict(enumerate(run)) if isinstance(run, list) else dict.fromkeys(range(seeds), run)
        for name, run in runs.items()
    }
    arms = learning("arms").read_arms()
    goals = list(learning("goals").judged(learning("settings").SETTINGS[setting], arms, curves))
    verdicts = [line.split(" | ")[-1].rstrip(" |") for line in render_goals(goals).splitlines()[2 : 2 + len(goals)]]
    return {
        goal.goal.removeprefix(f"{setting}: "): (round(goal.measured, 2), verdict)
        for goal, verdict in zip(goals, verdicts, strict=True)
    }


def test_goals_are_judged_against_the_best_baseline_and_the_best_filter(learning, made_up):
    told = told_goals(
        learning,
        uniform_32x8=made_up(*RISING, every=4000),
        uniform_16x4=made_up(*RISING, every=9000),
        dapo=made_up(*RISING, every=9000),
        dapo_fast=made_up(*RISING, every=6000),
        posterior=made_up(*RISING, every=1000),
    )
    assert told["tokens of `uniform_32x8` over ours, to 0.7"] == (4.0, "met")
    few = (4.0, "not decided: fewer than 5 seeds")
    assert told["tokens of `uniform_32x8` over ours, to 0.7, lower end of the interval"] == few
    assert told["tokens of `dapo_fast` over ours, to 0.8"] == (6.0, "met")


def test_the_end_of_an_interval_is_judged_by_five_seeds_and_as_a_bound_where_it_is_one(learning, made_up):
    def told(**runs: object) -> tuple[float, str]:
        found = told_goals(learning, 5, **{name: made_up(*run, every=1000) for name, run in runs.items()})
        return found["tokens of `uniform_16x4` over ours, to 0.7, lower end of the interval"]

    slower, never = [step / 40 for step in range(40)], [0.0] * 40
    assert told(uniform_16x4=slower, posterior=RISING)[1] == "met"
    assert told(uniform_16x4=RISING, posterior=slower)[1] == "**NOT MET**"
    late = "not decided: an upper bound: ours does not arrive"
    assert told(uniform_16x4=slower, posterior=[0.0] * 20) == (pytest.approx(1.5, abs=0.1), late)
    assert told(uniform_16x4=RISING, posterior=never)[1] == "**NOT MET**"


def test_a_bound_decides_only_on_its_side_of_what_is_wanted(learning, made_up):
    def told(**runs: object) -> str:
        return told_goals(learning, **runs)["tokens of `uniform_16x4` over ours, to 0.7"][1]

    def run(every: int, *accuracy: float) -> object:
        return made_up(*(accuracy or RISING), every=every)

    never = [0.0] * 20
    assert told(uniform_16x4=run(2000), posterior=run(1000)) == "**NOT MET**"
    assert told(uniform_16x4=run(9000, *never), posterior=run(1000)) == "met"
    late = "not decided: a lower bound: `uniform_16x4` does not arrive"
    assert told(uniform_16x4=run(1000, *never), posterior=run(1000)) == late
    assert told(uniform_16x4=run(1000), posterior=run(1000, *never)) == "**NOT MET**"
    hopeful = "not decided: an upper bound: ours does not arrive"
    assert told(uniform_16x4=run(9000), posterior=run(1000, *never)) == hopeful
    neither = "not decided: neither arrives in a seed that both have"
    assert told(uniform_16x4=run(1000, *never), posterior=run(1000, *never)) == neither


def test_no_worse_is_told_by_the_seeds_too(learning, made_up):
    def told(*every: int) -> str:
        ours = [made_up(*RISING, every=one) for one in every]
        found = told_goals(learning, len(ours), "main", uniform_16x4=made_up(*RISING, every=1000), posterior=ours)
        return found["tokens of `uniform_16x4` over ours, to 0.7"][1]

    assert told(900, 900, 1000, 1000, 900) == "met"
    assert told(2000, 2000, 1900, 2000, 2000) == "**NOT MET**"
    assert told(500, 500, 1900, 2000, 1000).startswith("not decided: from 0.59")
    assert told(900, 900, 900) == "not decided: fewer than 5 seeds"


def test_what_is_kept_of_the_easiest_is_told_by_five_seeds(learning, made_up):
    def told(*least: float) -> tuple[float, str]:
        ours = [made_up(0.1, one, 0.9, 0.9, 0.9) for one in least]
        found = told_goals(learning, len(ours), uniform_16x4=made_up(0.1, 0.8, 0.9, 0.9, 0.9), posterior=ours)
        return found["least of one on the way, over that of the best uniform"]

    assert told(0.9, 0.9, 0.9, 0.8, 0.9)[1] == "met"
    assert told(0.4, 0.4, 0.4, 0.4, 0.4) == (0.5, "**NOT MET**")
    assert told(0.4, 0.9, 0.9, 0.9, 0.9)[1].startswith("not decided: from 0.")
    assert told(0.4, 0.4)[1] == "not decided: fewer than 5 seeds"
