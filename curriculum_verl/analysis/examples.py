"""Which trajectories to look at: one that is stuck in a loop beside one that explores, and the same prompt in each run.

The contrast of two responses to one prompt is the loop score of the one times the exploration of the other.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from curriculum_verl.analysis.comparing import Side, common
from curriculum_verl.analysis.gathering import Gathered
from curriculum_verl.analysis.lines import LineReader
from curriculum_verl.analysis.measures import BY_NAME
from curriculum_verl.analysis.measuring import STUCK
from curriculum_verl.analysis.rows import Rows
from curriculum_verl.analysis.tasks import Task, piece_lines

CONTRASTS = 10
MOST_SIDES = 4
Place = tuple[int, int, int]  # piece, line in it, number of the response


@dataclass(frozen=True, slots=True)
class Text:
    """A response as it was logged, with its prompt."""

    id: str
    prompt: str
    response: str
    score: float
    bucket: str
    step: int | None


@dataclass(frozen=True, slots=True)
class Contrast:
    """A response of one side that loops, and one of another side, to the same prompt, that explores."""

    looping: str
    exploring: str
    loop_score: float
    exploration: float
    looping_at: Place
    exploring_at: Place

    @property
    def score(self) -> float:
        """How great the contrast is."""
        return self.loop_score * self.exploration

    @property
    def stuck(self) -> bool:
        """Whether the first is stuck in a loop, and does not only repeat itself a little."""
        return self.loop_score >= STUCK


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One prompt in several sides: the first response that each logged of it."""

    why: str
    places: dict[str, Place]


def sides_of(runs: Sequence[Gathered]) -> list[Side]:
    """What is put beside each other: runs; of one run alone its stages; else the run itself."""
    if len(runs) > 1 or len(runs[0].stages) < 2:
        return [Side(run.run.name, run) for run in runs]
    return [Side(stage, runs[0], stage) for stage in runs[0].stages]


def find_contrasts(sides: Sequence[Side], most: int = CONTRASTS) -> list[Contrast]:
    """The greatest contrasts, one a prompt; between responses of one side where there is only one."""
    rows = {side.name: side.rows for side in sides}
    best: dict[int, tuple[float, int, Contrast]] = {}
    for number, (a, b) in enumerate(permutations(rows, 2) if len(rows) > 1 else [(next(iter(rows)),) * 2]):
        first, second = common(rows[a], rows[b])
        scores = first["loop_score"].astype(np.float64) * second["exploration"]
        for at in np.lexsort((first["key"], -scores))[:most].tolist():
            if scores[at] > 0:
                found = _contrast(a, b, first[at], second[at])
                key = int(first["key"][at])
                best[key] = max(best.get(key, (0.0, 0, found)), (found.score, -number, found), key=lambda it: it[:2])
    ranked = sorted(best.items(), key=lambda item: (not item[1][2].stuck, -item[1][0], item[0]))
    return [contrast for _, (_, _, contrast) in ranked[:most]]


def _contrast(looping: str, exploring: str, first: Rows, second: Rows) -> Contrast:
    scores = float(first["loop_score"]), float(second["exploration"])
    return Contrast(looping, exploring, *scores, _place(first["looping"]), _place(second["exploring"]))


def find_side_by_side(sides: Sequence[Side], seed: int) -> list[SideBySide]:
    """Prompts that all sides have: where success rose most from the first to the last, where it fell most, and any."""
    chosen = list(sides) if len(sides) <= MOST_SIDES else [*sides[: MOST_SIDES - 1], sides[-1]]
    rows = [side.rows for side in chosen]
    shared = rows[0]["key"]
    for one in rows[1:]:
        shared = np.intersect1d(shared, one["key"], assume_unique=True)
    if not len(shared):
        return []
    rows = [one[np.searchsorted(one["key"], shared)] for one in rows]
    change = BY_NAME["success"].values(rows[-1]) - BY_NAME["success"].values(rows[0])
    wanted = [
        (f"success rose most from {chosen[0].name} to {chosen[-1].name}", int(np.argmax(change)), change.max() > 0),
        (f"success fell most from {chosen[0].name} to {chosen[-1].name}", int(np.argmin(change)), change.min() < 0),
        ("drawn at random", int(np.random.default_rng(seed).integers(len(shared))), True),
    ]
    reasons: dict[int, str] = {}
    for why, at, holds in wanted:
        if holds:
            reasons.setdefault(at, why)
    return [
        SideBySide(why, {side.name: _place(one["first"][at]) for side, one in zip(chosen, rows, strict=True)})
        for at, why in reasons.items()
    ]


def highest_loop_score(runs: Iterable[Gathered]) -> tuple[float, str]:
    """The highest of any response, and the run that it is in."""
    return max((float(run.rows["loop_score"].max()), run.run.name) for run in runs)


def fetch(places: Iterable[Place], tasks: Sequence[Task]) -> Mapping[Place, Text]:
    """Read the responses at some places again; `tasks` by the number of a piece."""
    wanted: dict[int, dict[int, list[Place]]] = defaultdict(lambda: defaultdict(list))
    for place in dict.fromkeys(places):
        wanted[place[0]][place[1]].append(place)
    found = {}
    for piece, lines in wanted.items():
        read = LineReader(tasks[piece].fields)
        for number, content in piece_lines(tasks[piece].piece(piece)):
            if number in lines:
                line = read(content)
                for place in lines[number]:
                    rollout, at = line.rollout, place[2]
                    found[place] = Text(
                        rollout.id, line.prompt, rollout.responses[at], rollout.scores[at], line.bucket or "", line.step
                    )
                if number == max(lines):
                    break
    return found


def _place(record: Rows) -> Place:
    piece, line, number = record.tolist()
    return piece, line, number
