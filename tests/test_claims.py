"""What the first page and the page of policies claim is what the benchmarks show."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS, FAST = "posterior", "uniform_16x4_fast"  # the second is uniform sampling at the rate of the curricula
ONCE = ("posterior_slow", "posterior_8x4", "target_difficulty", "mixture", "cumulative")
SEEDS = {  # by which they speak of an arm
    "skew": {
        **dict.fromkeys((OURS, "posterior_admission", "bandit", "uniform_16x4", "dapo_fast"), "5"),
        **dict.fromkeys((FAST, "gaussian"), "3"),
        "dapo": "2",
        **dict.fromkeys(ONCE, "1"),
    },
    "main": dict.fromkeys((OURS, "bandit", "uniform_16x4", FAST), "5"),
    "noisy": dict.fromkeys((OURS, "bandit", "uniform_16x4"), "5"),
    "kinds": dict.fromkeys((OURS, "bandit", "uniform_16x4"), "3"),
}
NUMBERS = ("none", "one", "two", "three", "four", "five")
WHOLE = (ROOT / "docs" / "benchmarks.md").read_text()


def part(title: str) -> str:
    """A section of the page of benchmarks."""
    return WHOLE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


NUMBER = r"\d[\d.,]*"
PAGE = part("Does a curriculum pay")
README = " ".join((ROOT / "README.md").read_text().partition("## What was measured")[2].partition("## ")[0].split())
POLICIES = " ".join((ROOT / "docs" / "policies.md").read_text().partition("## When it pays")[2].split())


def section_of(setting: str) -> str:
    """What the page says of a setting."""
    return PAGE.partition(f"### {setting}: ")[2].partition("### ")[0]


def rows_of(text: str) -> list[list[str]]:
    """The cells of all tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def named(cell: str) -> str:
    """The arm that a row is of."""
    return cell.split("`")[1] if "`" in cell else cell


def ratios(setting: str, axis: str = "Tokens") -> dict[str, list[str]]:
    """By arm: how many seeds, and the ratio to every target."""
    parts = re.split(rf"\n{axis} of the (?:best|only) baseline, `uniform_\w+`,", section_of(setting))
    return {named(name): cells for name, *cells in rows_of(parts[1].split("\n\n")[1])}


def learned(setting: str) -> dict[str, dict[str, str]]:
    """By arm: the figures of when the budget was spent, by their titles."""
    titles, _, *rows = rows_of(section_of(setting).partition("\nAfter ")[2].partition("\nThe same over ")[0])
    return {named(row[0]): dict(zip(titles, row, strict=True)) for row in rows}


def wanted(goal: str, text: str = PAGE) -> tuple[str, str]:
    """What a goal asked for, and what was measured."""
    goals = [row for row in rows_of(text) if row[1].startswith(("<= ", ">= ")) and re.fullmatch(goal, row[0])]
    [[_, asked, measured, _]] = goals
    return re.findall(NUMBER, asked)[0], re.findall(NUMBER, measured)[0]


def on_skew(baseline: str, target: str) -> tuple[str, str]:
    """The same of the tokens to a target there."""
    return wanted(f"skew: tokens of `{baseline}` over ours, to {target}")


def bare(cell: str) -> str:
    """A ratio without who arrived."""
    return cell.partition(";")[0].removeprefix("<=")


def arrived(setting: str, arm: str, target: float) -> int:
    """On how many seeds an arm got there."""
    return sum(tokens is not None for tokens in spent(setting, arm, target).values())


def of_skew() -> Iterator[str]:
    found = learned("skew")
    (hoped, got), (hoped_late, got_late) = (on_skew("uniform_16x4", target) for target in ("0.7", "0.8"))
    yield f"{hoped} and {hoped_late} times fewer tokens; `posterior` has {got} and {got_late}."
    (hoped, filtered), (_, filtered_late) = (on_skew("dapo_fast", target) for target in ("0.7", "0.8"))
    yield f"Beside DAPO's filter {hoped} times; it has {filtered} and {filtered_late}."
    early, late = (NUMBERS[arrived("skew", "dapo", target)] for target in (0.7, 0.8))
    yield f"at 1e-4 it got to 0.7 on {early} of two seeds, to 0.8 on {late}."
    [met] = re.findall(r"\n(\d+ of \d+) met\n", PAGE)
    yield f"Of the goals that were set before, {met} are met."
    took = re.findall(r"Bucketing took ([0-9,]+)", section_of("skew"))[0]
    yield f"took {took} tokens, once"
    kept = {name: row["digits_3"] for name, row in found.items()}
    for setting in ("skew", "main", "noisy"):
        [before] = {row[3] for row in rows_of(section_of(setting)) if row[0] == "before"}
        assert f"the easiest are at {before} before:" in README, setting
    yield f"on one seed the worst is {worst('skew', OURS):.2f}."
    yield f"it is at {kept[OURS]}, with uniform sampling at {kept['uniform_16x4']}."
    uniform = {name: cells[0] for name, cells in ratios("skew").items() if name.startswith("uniform")}
    yield f"{NUMBERS[len(uniform)]} settings, {NUMBERS[list(uniform.values()).count('1')]} of them seen on one seed."
    early, late = (on_one("uniform_16x4", target) / on_one(OURS, target) for target in (0.7, 0.8))
    yield f"it needs {early:.2f} and {late:.2f} times fewer tokens."


def of_other_settings() -> Iterator[str]:
    yield f"(wanted: no worse than {wanted('main: tokens of .*, to 0.8')[0]})."
    second = {name: list(row.values())[4] for name, row in learned("kinds").items()}
    ours, theirs, uniform = (NUMBERS[arrived("kinds", name, 0.5)] for name in (OURS, "bandit", "uniform_16x4"))
    yield f"0.5 on {ours} seeds within its budget, `bandit` on {theirs}, uniform sampling on {uniform}, past that"
    yield f"as if it did at the end: it needs at most {bare(ratios('kinds')[OURS][1])} times fewer tokens."
    yield f"task ({second[OURS]}, `bandit` {second['bandit']}, uniform sampling {second['uniform_16x4']})."
    area = {name: row["area"] for name, row in learned("kinds").items()}
    yield f"is {area[OURS]} with `posterior`, {area['bandit']} with `bandit` and {area['uniform_16x4']} with uniform"


def medians(text: str) -> dict[str, list[str]]:
    """By the first cell of a row, the others without what is in brackets."""
    return {name: [cell.partition(" (")[0] for cell in cells] for name, *cells in rows_of(text)}


def of_speed() -> Iterator[str]:
    pipeline = part("Bucketing and preprocessing")
    bucketing, preprocessing = pipeline.split("\n### Preprocessing")
    copying = {name: cells[1] for name, cells in medians(bucketing).items()}
    yield f"takes {copying['ours, --no-report']} times as long as `cat` takes to copy the file"
    yield f"(wanted: {wanted('bucketing in one process, seconds.*', pipeline)[0]});"
    scripts = f"a json.loads script {copying['json.loads script']} times, polars {copying['polars']}"
    yield f"{scripts}, duckdb {copying['duckdb']}, pandas {copying['pandas']}."
    ours = {name: cells[1] for name, cells in medians(preprocessing).items()}
    yield f"polars, {ours['polars']} of our time, and duckdb, {ours['duckdb']}, which do less;"
    yield f"a json.loads script takes {ours['json.loads script']}."
    engine = medians(part("Draws, observations, memory and saves").partition("ms to observe")[0])
    own, sort = engine["posterior"], engine["argsort (AdaRFT)"]
    yield f"{own[3]} ms for 1,024 by `posterior`, {sort[3]} ms by sorting them as AdaRFT does."
    yield f"Of 10,000 sorting is faster: {sort[0]} ms to {own[0]} ms."
    verl = part("What a curriculum costs a step of verl")
    real = {row[0]: row[1] for row in rows_of(verl)}
    toy, longer = real["a step without, s"].partition(" ")[0], real["with, times without, round by round"]
    yield f"a toy of {toy} s, takes {longer.replace(' - ', ' to ')} times as long with a curriculum;"
    hoped, counted = wanted("curriculum/overhead_s in a step of verl", verl)
    yield f"what the curriculum counts as its own is {counted} % of it (wanted: {hoped})."
    gather = max(float(row[3].partition(" ")[0]) for row in rows_of(verl) if len(row) == 7 and "(" in row[3])
    decide = wanted("draw, observe and metrics.*", verl)[1]
    yield f"it puts the responses together in up to {gather} ms, and decides in up to {decide} ms."
    tuned, on_gpu = (
        wanted("a step with a curriculum.*", part(title))[1]
        for title in ("What a curriculum costs a step of supervised fine-tuning", "The same on a GPU")
    )
    yield f"- **A step of SFT** takes {tuned} % more processor time, on an H200 {on_gpu} % more time."
    short, long, alike = (
        [rows[name][3] for rows in map(medians, map(part, ("What packing gains", "What packing gains on a GPU")))]
        for name in ("mixed, 16 to 512", "mixed, 16 to 1024", "alike, 256")
    )
    yield f"mixed lengths {short[0]} to {long[0]} times as fast as padding them,"
    yield f"as padding them, on an H200 {short[1]} to {long[1]} times;"
    yield f"chats of one length {alike[0]} and {alike[1]} times."


@pytest.mark.parametrize("claims", [of_skew, of_other_settings, of_speed])
def test_a_sentence_with_figures_is_written_anew_from_the_page(claims: Callable[[], Iterator[str]]) -> None:
    for claim in claims():
        assert claim in README, claim


TABLES = (  # by setting and arm, as they are named in the rows of the first page, in their order
    ("skew", OURS, "`posterior`, the default"),
    ("skew", "posterior_admission", "`posterior` with admission"),
    ("skew", "bandit", "`bandit`"),
    ("skew", "gaussian", "`gaussian`, a schedule that hears nothing of the model"),
    ("skew", "target_difficulty", "`target_difficulty`"),
    ("skew", "mixture", "the three-stage recipe"),
    ("skew", "cumulative", "the cumulative stages"),
    ("skew", "posterior_slow", "`posterior` at uniform's rate, 1e-4"),
    ("skew", "uniform_16x4", "uniform sampling as it is best: 1e-4"),
    ("skew", FAST, "uniform sampling at the rate of the others, 2e-4"),
    ("skew", "dapo_fast", "the same with DAPO's filter, 8 responses a prompt"),
    ("main", OURS, "equally many prompts of every level: `posterior`"),
    ("main", "bandit", "the same: `bandit`"),
    ("main", FAST, "the same: uniform sampling, the better of two settings, at the rate of ours"),
    ("noisy", OURS, "three prompts in ten in a wrong bucket: `posterior`"),
    ("noisy", "bandit", "the same: `bandit`"),
    ("noisy", "uniform_16x4", "the same: uniform sampling, as it is best with right buckets"),
)


def told(setting: str, arm: str) -> Iterator[str]:
    """The cells of an arm's row: seeds, tokens and steps to 0.7 and 0.8, and the worst of the easiest."""
    spending = [ratios(setting, axis)[arm] for axis in ("Tokens", "Steps")]
    yield spending[0][0]
    for cell in (cell for row in spending for cell in row[2:]):
        yield "1" if cell.endswith(("tokens", "steps")) else cell
    [least] = [value for title, value in learned(setting)[arm].items() if title.startswith("least of")]
    yield least


def test_the_tables_of_the_first_page_are_those_of_the_benchmarks() -> None:
    text = (ROOT / "README.md").read_text().partition("## What was measured")[2].partition("\nSpeed, ")[0]
    rows = [row for row in rows_of(text) if row[0] not in ("", "---")]
    expected = [[name, *told(setting, arm)] for setting, arm, name in TABLES]
    assert rows == [
        row if setting == "skew" else [row[0], *row[2:]] for row, (setting, *_) in zip(expected, TABLES, strict=True)
    ]


def test_no_figure_is_claimed_that_is_not_held_to_the_page() -> None:
    said = re.findall(r"\d+[.,]\d+", README.replace("0.6 million", ""))
    assert len(said) == 223, "another figure is claimed: hold it to the page above"


@pytest.mark.parametrize("setting", SEEDS)
def test_it_is_spoken_of_as_many_seeds_as_were_run(setting: str) -> None:
    found = ratios(setting)
    assert {name: found[name][0] for name in SEEDS[setting]} == SEEDS[setting], "say anew what they did, on more seeds"


def test_the_baseline_of_equal_shares_is_the_faster_one() -> None:
    assert f"best baseline, `{FAST}`, over" in section_of("main")


def curves(setting: str, arm: str) -> dict[int, dict[str, Any]]:
    """What was learned when, by seed, from the runs themselves."""
    lines = map(json.loads, (ROOT / "docs" / "learning_runs.jsonl").read_text().splitlines())
    return {run["seed"]: run["curve"] for run in lines if (run["setting"], run["arm"]) == (setting, arm)}


def spent(setting: str, arm: str, target: float) -> dict[int, float | None]:
    """Tokens to a target, by seed."""
    return {seed: reached(curve, target) for seed, curve in curves(setting, arm).items()}


def worst(setting: str, arm: str) -> float:
    """What is left of the easiest level at the worst checkpoint of all seeds, where all are looked at."""
    until = float(re.findall(r"\nAfter ([0-9,]+) tokens", section_of(setting))[0].replace(",", ""))
    return min(
        accuracy
        for curve in curves(setting, arm).values()
        for accuracy, step, tokens in zip(
            next(iter(curve["accuracy"].values())), curve["steps"], curve["tokens"], strict=True
        )
        if step and tokens <= until
    )


def reached(curve: Mapping[str, Any], target: float) -> float | None:
    """By a line between two checkpoints; each level is averaged with the checkpoints before and after but the first."""
    levels = np.array(list(curve["accuracy"].values()))
    means = [levels[:, 0].mean(), *(levels[:, at - 1 : at + 2].mean(1).mean() for at in range(1, levels.shape[1]))]
    above = np.flatnonzero(np.array(means) >= target)
    if not above.size:
        return None
    first = int(above[0])
    return float(np.interp(target, means[first - 1 : first + 1], curve["tokens"][first - 1 : first + 1]))


def on_one(arm: str, target: float) -> float:
    """Tokens on the first seed of skew."""
    return spent("skew", arm, target)[0] or math.nan


def fewer(setting: str, arm: str, target: float) -> str:
    """On how many seeds an arm needs fewer tokens than ours."""
    ours, theirs = spent(setting, OURS, target), spent(setting, arm, target)
    return NUMBERS[sum((theirs[seed] or math.inf) < (ours[seed] or math.inf) for seed in ours)]


def signals(arm: str) -> tuple[float, float]:
    """Of skew: the share of groups with a signal in whole runs, and that of the tokens to 0.8; means over seeds."""
    share = float(np.mean([curve["informative"] for curve in curves("skew", arm).values()]))
    return share, share * float(np.mean([tokens or math.nan for tokens in spent("skew", arm, 0.8).values()]))


def test_what_limits_all_policies_is_counted_anew() -> None:
    found = {arm: signals(arm) for arm in ("uniform_16x4", "bandit", "gaussian", OURS)}
    needed = [f"{round(tokens, -2):,.0f}" for _, tokens in found.values()]
    told = "are {} for uniform sampling, {} for `bandit`, {} for `gaussian` and {} for `posterior`."
    assert told.format(*needed) in POLICIES
    shares = [share for share, _ in found.values()]
    assert "from {:.0%} to {:.0%}, {:.0%} and {:.0%}.".format(*shares).replace("%", " %") in POLICIES
    of_four = 1 - 2 * 0.5**4
    assert f"has a signal seven times in eight, at most {of_four / shares[0]:.1f} times fewer" in POLICIES


def test_on_how_many_seeds_another_policy_is_ahead_is_counted_anew() -> None:
    for setting in ("skew", "main", "noisy"):
        early, late = (fewer(setting, "bandit", target) for target in (0.7, 0.8))
        assert f"*{setting}* {early} to 0.7 and {late} to 0.8" in POLICIES
    early, late = (fewer("skew", "posterior_admission", target) for target in (0.7, 0.8))
    assert f"to 0.7 on {early} of five seeds, to 0.8 on {late}" in POLICIES
