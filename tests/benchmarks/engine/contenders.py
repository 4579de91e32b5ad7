"""What is timed: the engine under every policy, and the peers' rules; each takes its turn in every round."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from measuring import SEED
from numpy.typing import NDArray

from curriculum_verl.curriculum import Curriculum, PromptIndex

from .peers import (
    keep_scores,
    moved_target,
    nearest_by_argsort,
    pool_choice,
    pool_weight,
    weighted_choice,
    weighted_choice_numpy,
)

BATCH = 1024
RESPONSES = 16
STEPS = 5  # draws and observations of the engine in one turn
CHOICES = 8  # single draws of a weighted choice in one turn, scaled up to a batch
CHOICE_LIMIT = 10**5  # a weighted choice over more prompts is extrapolated from here
BUCKETS = {"easy": 0.3, "medium": 0.5, "hard": 0.2}
MIX = {"easy": 0.2, "medium": 0.3, "hard": 0.5}


class Contender(Protocol):
    def turn(self) -> dict[str, float]:
        """Seconds for one batch, by what was done."""


@dataclass(frozen=True, slots=True)
class Setup:
    """One way to set up the engine; the index has only the arrays that the policy reads."""

    name: str
    policy: dict[str, Any]
    reads: str = ""  # "difficulty", "pass_rate" or nothing
    admission: bool = False

    @property
    def per_prompt_state(self) -> bool:
        return self.admission or self.policy["name"] == "posterior"


SETUPS = (
    Setup("uniform", {"name": "uniform"}),
    Setup("mixture", {"name": "mixture"}),
    Setup("target_difficulty", {"name": "target_difficulty", "start": 0.5}, "difficulty"),
    Setup("bandit", {"name": "bandit"}),
    Setup("posterior", {"name": "posterior"}, "pass_rate"),
    Setup("gaussian", {"name": "gaussian", "steps": 1000}),
    Setup("mixture + admission", {"name": "mixture"}, admission=True),
    Setup("posterior + admission", {"name": "posterior"}, "pass_rate", admission=True),
)
ARGSORT = "argsort (AdaRFT)"
PYTHON_CHOICES = ("list of weights, then random.choices (prime-rl)", "random.choices alone")
CHOICES_OVER_ALL = (*PYTHON_CHOICES, "numpy choice alone")  # the last is faster than any peer; shown, not a goal
PEERS = (ARGSORT, *CHOICES_OVER_ALL)


def bucket_sizes(prompts: int) -> dict[str, int]:
    """Unequal buckets; the last one takes what rounding leaves."""
    sizes = {name: int(prompts * share) for name, share in BUCKETS.items()}
    return sizes | {"hard": prompts - sizes["easy"] - sizes["medium"]}


def difficulties(prompts: int) -> NDArray[np.float32]:
    """Between 0 and 1, rising from bucket to bucket, unordered inside."""
    rng = np.random.default_rng(SEED)
    difficulty = rng.random(prompts, dtype=np.float32)
    first = 0
    for number, size in enumerate(bucket_sizes(prompts).values()):
        difficulty[first : first + size] += number
        first += size
    difficulty /= len(BUCKETS)
    return difficulty


def pass_rates(prompts: int) -> NDArray[np.float16]:
    """What 16 offline responses leave: sixteenths, and a tenth of the prompts unknown."""
    rates = (np.round((1 - difficulties(prompts)) * RESPONSES) / RESPONSES).astype(np.float16)
    rates[::10] = np.nan
    return rates


def build(setup: Setup, prompts: int) -> Curriculum:
    """A curriculum as a recipe would make it, whose first stage never ends."""
    exit_test = {"metric": "train/success_rate", "window": 100, "above": 0.999}
    block = {
        "policy": setup.policy,
        "stages": [
            {"name": "first", "mix": MIX, "exit": exit_test},
            {"name": "last", "mix": {"hard": 1.0}},
        ],
        "admission": {} if setup.admission else None,
    }
    index = PromptIndex.build(
        bucket_sizes(prompts),
        data_hash="benchmark",
        difficulty=difficulties(prompts) if setup.reads == "difficulty" else None,
        pass_rate=pass_rates(prompts) if setup.reads == "pass_rate" else None,
    )
    return Curriculum.from_config(block, index)


class Engine:
    """Steps of a training run: draw a batch, observe its scores, of which about every eighth group is all alike."""

    def __init__(self, setup: Setup, prompts: int):
        self.curriculum = build(setup, prompts)
        self._rng = np.random.default_rng(SEED)

    def scores(self) -> NDArray[np.float64]:
        rates = self._rng.random((BATCH, 1))
        return (self._rng.random((BATCH, RESPONSES)) < rates).astype(np.float64)

    def step(self) -> tuple[float, float]:
        """Seconds of one draw and one observation."""
        scores = self.scores()
        start = perf_counter()
        prompts = self.curriculum.draw(BATCH).prompts
        drawn = perf_counter()
        self.curriculum.observe(self.curriculum.step + 1, prompts, scores)
        return drawn - start, perf_counter() - drawn

    def turn(self) -> dict[str, float]:
        draws, observations = zip(*(self.step() for _ in range(STEPS)), strict=True)
        return {"draw": sum(draws) / STEPS, "observe": sum(observations) / STEPS}

    def save(self, folder: Path) -> tuple[float, int]:
        """Seconds and bytes of one saved state."""
        path = folder / "state.json"
        start = perf_counter()
        self.curriculum.save(path)
        return perf_counter() - start, sum(file.stat().st_size for file in folder.iterdir())


class Argsort:
    """A target that moves with every batch; float64 in any order, as a column of a file without buckets."""

    def __init__(self, prompts: int):
        rng = np.random.default_rng(SEED)
        self._difficulty = rng.permutation(difficulties(prompts).astype(np.float64))
        self._scores = rng.random((BATCH, RESPONSES))
        self._target = 0.5

    def turn(self) -> dict[str, float]:
        start = perf_counter()
        nearest_by_argsort(self._difficulty, self._target, BATCH)
        drawn = perf_counter()
        self._target = moved_target(self._target, self._scores)
        return {"draw": drawn - start, "observe": perf_counter() - drawn}


class Choice:
    """A rule that picks one prompt at a time; `observe` is what follows a batch, if anything does."""

    def __init__(self, pick: Callable[[], int], observe: Callable[[], None] | None = None):
        self._pick = pick
        self._observe = observe

    def turn(self) -> dict[str, float]:
        start = perf_counter()
        for _ in range(CHOICES):
            self._pick()
        drawn = perf_counter()
        found = {"draw": (drawn - start) * BATCH / CHOICES}
        if self._observe is not None:
            self._observe()
            found["observe"] = perf_counter() - drawn
        return found


def choices(prompts: int) -> dict[str, Choice]:
    """The weighted choices over all prompts, of which a tenth has been seen."""
    rng, numpy_rng = random.Random(SEED), np.random.default_rng(SEED)
    latest = {prompt: rng.random() for prompt in rng.sample(range(prompts), prompts // 10)}
    weights = [pool_weight(latest.get(prompt)) for prompt in range(prompts)]
    chances = np.array(weights) / sum(weights)
    seen, scores = range(min(prompts, BATCH)), numpy_rng.random((min(prompts, BATCH), RESPONSES))
    rules = (
        Choice(lambda: pool_choice(prompts, latest, rng), lambda: keep_scores(latest, seen, scores)),
        Choice(lambda: weighted_choice(weights, rng)),
        Choice(lambda: weighted_choice_numpy(chances, numpy_rng)),
    )
    return dict(zip(CHOICES_OVER_ALL, rules, strict=True))


def peer_contenders(sizes: Iterable[int]) -> dict[tuple[str, int], Contender]:
    """The peers by name and number of prompts; weighted choices up to the limit only."""
    sizes = sorted(sizes)
    contenders: dict[tuple[str, int], Contender] = {(ARGSORT, size): Argsort(size) for size in sizes}
    for size in sorted({min(size, CHOICE_LIMIT) for size in sizes}):
        contenders |= {(name, size): choice for name, choice in choices(size).items()}
    return contenders
