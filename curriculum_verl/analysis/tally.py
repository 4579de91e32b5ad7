"""What is counted of all responses in a bucket of a stage: distributions, tools and what follows what."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from curriculum_verl.analysis.measuring import END, START, Seen
from curriculum_verl.analysis.sketches import LOG, SIGNED, Sketch

LENGTHS = ("tokens", "characters", "steps", "calls")
DISTRIBUTIONS = (*LENGTHS, "coherence")


def _sketches() -> dict[str, Sketch]:
    return {name: Sketch(SIGNED if name == "coherence" else LOG) for name in DISTRIBUTIONS}


@dataclass(slots=True)
class Cell:
    """`tools` counts attempted calls by name, `follows` how often one tool came after another, start and end too."""

    responses: int = 0
    tools: Counter[str] = field(default_factory=Counter)
    follows: Counter[tuple[str, str]] = field(default_factory=Counter)
    sketches: dict[str, Sketch] = field(default_factory=_sketches)

    def add(self, seen: Sequence[Seen], tokens: Sequence[int]) -> None:
        """Take in responses, and the tokens of those that have a count."""
        self.responses += len(seen)
        self.sketches["tokens"].add(tokens)
        for name in ("characters", "steps"):
            self.sketches[name].add([getattr(one, name) for one in seen])
        self.sketches["calls"].add([one.trace.calls for one in seen])
        self.sketches["coherence"].add([one.coherence for one in seen if one.coherence is not None])
        for one in seen:
            self.tools.update(one.path)
            self.follows.update(pairwise((START, *one.path, END)))

    def merge(self, other: "Cell") -> None:
        """Take in another one."""
        self.responses += other.responses
        self.tools.update(other.tools)
        self.follows.update(other.follows)
        for name, sketch in self.sketches.items():
            sketch.merge(other.sketches[name])

    def transitions(self) -> dict[tuple[str, str], float]:
        """The chance that one tool follows another: of every tool, and of the start, they add up to 1."""
        leaving: Counter[str] = Counter()
        for (source, _), count in self.follows.items():
            leaving[source] += count
        return {pair: count / leaving[pair[0]] for pair, count in sorted(self.follows.items())}


def joined(cells: Iterable[Cell]) -> Cell:
    """One of all."""
    whole = Cell()
    for cell in cells:
        whole.merge(cell)
    return whole
