"""What answers in a simulation: logged rollouts as they are, or a learner that practises, transfers and forgets."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.index import PromptIndex

SCREENING = 8  # responses by which invented prompts were bucketed
TOKENS = 256.0  # a response's length where nothing was logged


class World(Protocol):
    """Stands for the model: scores prompts, learns from the batch, can be validated."""

    index: PromptIndex
    tokens: NDArray[np.float64]  # mean tokens of a response, by bucket

    def respond(self, prompts: NDArray[np.int64], responses: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Scores of so many responses to every prompt."""

    def learn(self, prompts: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """One training step."""

    def pass_rates(self) -> NDArray[np.float64]:
        """The present mean pass rate of every bucket."""

    def weights(self) -> NDArray[np.float64]:
        """What a checkpoint would hold."""

    def restore(self, weights: NDArray[np.float64]) -> None:
        """Go back to a checkpoint."""


@dataclass(slots=True)
class LoggedWorld:
    """Draws responses from a prompt's logged scores, with replacement; the model stays as it was then."""

    index: PromptIndex
    tokens: NDArray[np.float64]
    scores: NDArray[np.float64]  # all prompts' scores, one prompt after the other
    starts: NDArray[np.int64]  # where each prompt's scores start; one more at the end
    pass_threshold: float

    def respond(self, prompts: NDArray[np.int64], responses: int, random: np.random.Generator) -> NDArray[np.float64]:
        """A sample of what was logged."""
        first, count = self.starts[prompts], np.diff(self.starts)[prompts]
        sample = random.integers(0, count[:, None], (len(prompts), responses))
        return np.take(self.scores, first[:, None] + sample)

    def learn(self, prompts: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """A log does not learn."""

    def pass_rates(self) -> NDArray[np.float64]:
        """The logged pass rates."""
        rates = prompt_pass_rates(self.scores, self.starts, self.pass_threshold)
        return np.asarray(np.add.reduceat(rates, self.index.offsets[:-1]) / self.index.sizes)

    def weights(self) -> NDArray[np.float64]:
        """A log has none."""
        return np.zeros(0)

    def restore(self, weights: NDArray[np.float64]) -> None:
        """A log does not change."""


@dataclass(slots=True)
class Learner:
    """A prompt is passed with chance sigmoid(ability[bucket] + offset[prompt]).

    Practice: a bucket's ability grows by `learn_rate` times the batch's learning signal in it, the share of its
    groups weighted by 4p(1 - p); neighbours get `transfer` of that. Forgetting: what a bucket gained shrinks by
    `forget` a step, less in proportion to its share of the batch, not at all from an even share on.
    """

    index: PromptIndex
    tokens: NDArray[np.float64]
    ability: NDArray[np.float64]
    offset: NDArray[np.float32]
    learn_rate: float = 0.15
    transfer: float = 0.3
    forget: float = 0.01
    start: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.ability.copy()

    def respond(self, prompts: NDArray[np.int64], responses: int, random: np.random.Generator) -> NDArray[np.float64]:
        """1 where a response passes, else 0."""
        chance = self._chance(prompts)
        return (random.random((len(prompts), responses)) < chance[:, None]).astype(np.float64)

    def learn(self, prompts: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """Practise what has a signal, pass some on, forget what was not seen."""
        buckets = self.index.bucket_of(prompts)
        rate = scores.mean(axis=1)
        count = len(self.ability)
        signal = np.bincount(buckets, weights=4 * rate * (1 - rate), minlength=count) / len(prompts)
        share = np.bincount(buckets, minlength=count) / len(prompts)
        spread = np.zeros(count)
        spread[1:] += signal[:-1]
        spread[:-1] += signal[1:]
        gained = self.ability - self.start
        lost = self.forget * np.maximum(0.0, 1.0 - share * count) * np.maximum(gained, 0.0)
        self.ability = self.ability + self.learn_rate * (signal + self.transfer * spread) - lost

    def pass_rates(self) -> NDArray[np.float64]:
        """The true rates, over at most 1,000 prompts of every bucket."""
        rates = []
        for first, size in zip(self.index.offsets, self.index.sizes, strict=False):
            rows = np.linspace(first, first + size - 1, min(int(size), 1000)).astype(np.int64)
            rates.append(float(self._chance(rows).mean()))
        return np.array(rates)

    def weights(self) -> NDArray[np.float64]:
        """The abilities."""
        return self.ability.copy()

    def restore(self, weights: NDArray[np.float64]) -> None:
        """Go back to earlier abilities."""
        self.ability = weights.copy()

    def _chance(self, prompts: NDArray[np.int64]) -> NDArray[np.float64]:
        logit = self.ability[self.index.bucket_of(prompts)] + self.offset[prompts]
        return 1.0 / (1.0 + np.exp(-logit))


def prompt_pass_rates(
    scores: NDArray[np.float64], starts: NDArray[np.int64], pass_threshold: float
) -> NDArray[np.float64]:
    """Every prompt's share of passing scores."""
    return np.add.reduceat((scores >= pass_threshold).astype(np.float64), starts[:-1]) / np.diff(starts)


def invented_learner(buckets: dict[str, int], seed: int, **parameters: float) -> Learner:
    """A learner for invented prompts: it passes about 80 % of the easiest bucket and 2 % of the hardest.

    What the policies know beforehand is what a user would: how SCREENING responses to every prompt were scored.
    """
    count = len(buckets)
    ability = np.linspace(1.4, -4.0, count) if count > 1 else np.zeros(1)
    random = np.random.default_rng(seed)
    offset = random.normal(0.0, 0.7, sum(buckets.values())).astype(np.float32)
    expected = 1.0 / (1.0 + np.exp(-(np.repeat(ability, list(buckets.values())) + offset)))
    seen = random.binomial(SCREENING, expected) / SCREENING
    index = PromptIndex.build(buckets, difficulty=1.0 - seen, pass_rate=seen)
    return Learner(index, np.full(count, TOKENS), ability, offset, **parameters)


def learner_from_log(log: LoggedWorld, **parameters: float) -> Learner:
    """A learner that starts where the log stands; a prompt never or always passed is half a response off."""
    count = np.diff(log.starts)
    rates = prompt_pass_rates(log.scores, log.starts, log.pass_threshold)
    rates = np.clip(rates, 0.5 / count, 1 - 0.5 / count)
    logit = np.log(rates) - np.log1p(-rates)
    ability = np.add.reduceat(logit, log.index.offsets[:-1]) / log.index.sizes
    offset = (logit - np.repeat(ability, log.index.sizes)).astype(np.float32)
    return Learner(log.index, log.tokens, ability, offset, **parameters)
