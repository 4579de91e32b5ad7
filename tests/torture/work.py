"""Where a case works, with what seed and how much of it; what all parts of a case need is made once."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TOOLS, SFT, GRPO = "tools", "sft", "grpo"
SHARES = {TOOLS: 1.0, SFT: 0.8, GRPO: 0.2}  # of the kills: a restart of verl takes as long as ten of the others


@dataclass(frozen=True, slots=True)
class Work:
    """`kills` is how many the data tools get, and as many training runs; the rest bounds what is only long."""

    folder: Path
    seed: int = 0
    kills: int = 100
    steps: int = 10_000  # of the engine
    prompts: int = 1_000_000
    real_steps: int = 300  # of verl
    examples: int = 30_000  # of every fuzz test

    def kills_of(self, case: str) -> int:
        return max(1, round(self.kills * SHARES[case]))

    def random(self, *what: object) -> random.Random:
        """The same for the same part, whatever ran before it."""
        return random.Random(" ".join(map(str, [self.seed, *what])))

    def fresh(self, *names: str) -> Path:
        """An empty folder."""
        place = self.folder.joinpath(*names)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return place

    def once(self, name: str, make: Callable[[Path], object]) -> Path:
        """A folder that is made now, or was made before as a whole. What makes it must not look where it is."""
        place = self.folder / name
        if not place.exists():
            aside = self.fresh(f".{name}.partial")
            make(aside)
            aside.rename(place)
        return place
