"""What all reports are made of: Markdown tables, figures with their spread, goals with verdicts; and the JSON."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from measuring import Spread


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure beside what it should be; `undecided` says why the rounds do not tell."""

    goal: str
    contender: str
    measured: float
    wanted: float
    at_most: bool
    unit: str = ""
    note: str = ""
    undecided: str = ""

    @property
    def met(self) -> bool:
        reached = self.measured <= self.wanted if self.at_most else self.measured >= self.wanted
        return reached and not self.undecided


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], words: Sequence[int] = (0,)) -> str:
    """Markdown; columns stand to the right, but for those of words."""
    rule = ["---" if place in words else "---:" for place in range(len(titles))]
    return "\n".join(row(cells) for cells in (titles, rule, *rows))


def number(value: float) -> str:
    """Three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}" if abs(value) >= 0.01 else f"{value:.2g}"


def shown(spread: Spread, scale: float = 1.0) -> str:
    """The median, and in brackets the least and the most."""
    middle, low, high = (number(scale * value) for value in (spread.median, spread.min, spread.max))
    return f"~{middle}" if spread.extrapolated else f"{middle} ({low} - {high})"


def render_goals(goals: Sequence[Goal]) -> str:
    """A line for every goal; where several contenders share it, the worst figure and the best."""
    lines = []
    for title, group in groupby(goals, key=lambda goal: goal.goal):
        members = list(group)
        lines.append([title, _wanted(members[0]), _measured(members), _verdict(members)])
    met = sum(goal.met for goal in goals)
    return table(["goal", "wanted", "measured", "verdict"], lines, words=(0, 2, 3)) + f"\n\n{met} of {len(goals)} met"


def _wanted(goal: Goal) -> str:
    return f"{'<=' if goal.at_most else '>='} {number(goal.wanted)} {goal.unit}".rstrip()


def _measured(members: Sequence[Goal]) -> str:
    ordered = sorted(members, key=lambda goal: goal.measured, reverse=members[0].at_most)
    ends = [ordered[0]] if len(ordered) == 1 else [ordered[0], ordered[-1]]
    told = []
    for goal in ends:
        figure = f"{number(goal.measured)} {goal.unit}".rstrip()
        remarks = ", ".join(filter(None, [goal.contender, goal.note]))
        told.append(f"{figure} ({remarks})" if remarks else figure)
    return " to ".join(told)


def _verdict(members: Sequence[Goal]) -> str:
    if all(goal.met for goal in members):
        return "met"
    if len(members) == 1:
        [goal] = members
        return f"not decided: {goal.undecided}" if goal.undecided else "**NOT MET**"
    return f"**NOT MET** by {', '.join(goal.contender for goal in members if not goal.met)}"


def as_json(goals: Iterable[Goal]) -> list[dict[str, Any]]:
    return [asdict(goal) | {"met": goal.met} for goal in goals]


def write_json(path: Path | None, document: Any) -> None:
    """All figures to a file, where one was asked for."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
