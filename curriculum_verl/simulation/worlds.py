"""What answers in a simulation: logged rollouts as they are, or a learner that practises, transfers and forgets."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from curriculum_verl.curriculum.feedback import Scores
from curriculum_verl.curriculum.index import PromptIndex

SCREENING = 8  # responses by which invented prompts were bucketed
TOKENS = 256.0  # a response's length where no text was logged


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The responses to a batch, prompt after prompt, each with its score and whether that passes."""

    scores: NDArray[np.float64]
    passed: NDArray[np.bool_]
    counts: NDArray[np.int64]  # responses of every prompt

    @property
    def pass_rates(self) -> NDArray[np.float64]:
        """The share of every prompt's responses that pass."""
        firsts = np.cumsum(self.counts) - self.counts
        return np.asarray(np.add.reduceat(self.passed.astype(np.float64), firsts) / self.counts)

    def by_prompt(self, values: NDArray[np.float64]) -> Scores:
        """Values of all responses, as the engine takes them."""
        first = int(self.counts[0])
        if (self.counts == first).all():
            return values.reshape(-1, first)
        return [group.tolist() for group in np.split(values, np.cumsum(self.counts)[:-1])]


class World(Protocol):
    """Stands for the model: scores prompts, learns from the batch, can be validated."""

    index: PromptIndex
    tokens: NDArray[np.float64]  # mean tokens of a response, by bucket

    def respond(self, prompts: NDArray[np.int64], counts: NDArray[np.int64], random: np.random.Generator) -> Answers:
        """So many responses to every prompt."""

    def learn(self, prompts: NDArray[np.int64], pass_rates: NDArray[np.float64]) -> None:
        """One training step on groups of which so many passed."""

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
    _rates: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        rates = prompt_pass_rates(self.scores, self.starts, self.pass_threshold)
        self._rates = np.add.reduceat(rates, self.index.offsets[:-1]) / self.index.sizes

    def respond(self, prompts: NDArray[np.int64], counts: NDArray[np.int64], random: np.random.Generator) -> Answers:
        """A sample of what was logged."""
        first, logged = self.starts[prompts], np.diff(self.starts)[prompts]
        sample = random.integers(0, np.repeat(logged, counts))
        scores = self.scores[np.repeat(first, counts) + sample]
        return Answers(scores, scores >= self.pass_threshold, counts)

    def learn(self, prompts: NDArray[np.int64], pass_rates: NDArray[np.float64]) -> None:
        """A log does not learn."""

    def pass_rates(self) -> NDArray[np.float64]:
        """The logged pass rates."""
        return self._rates

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
    failing: float = 0.0  # the score of a response that does not pass
    passing: float = 1.0
    start: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.ability.copy()

    def respond(self, prompts: NDArray[np.int64], counts: NDArray[np.int64], random: np.random.Generator) -> Answers:
        """Each passes with its prompt's chance."""
        passed = random.random(int(counts.sum())) < np.repeat(self._chance(prompts), counts)
        return Answers(np.where(passed, self.passing, self.failing), passed, counts)

    def learn(self, prompts: NDArray[np.int64], pass_rates: NDArray[np.float64]) -> None:
        """Practise what has a signal, pass some on, forget what was not seen."""
        buckets = self.index.bucket_of(prompts)
        count = len(self.ability)
        signal = np.bincount(buckets, weights=4 * pass_rates * (1 - pass_rates), minlength=count) / len(prompts)
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
    """A learner that starts where the log stands; a prompt never or always passed is half a response off.

    Its scores are the log's mean passing and mean failing one; where a log has none of a kind, as far on the other
    side of the threshold as the other kind, and at least 0.5.
    """
    count = np.diff(log.starts)
    rates = prompt_pass_rates(log.scores, log.starts, log.pass_threshold)
    rates = np.clip(rates, 0.5 / count, 1 - 0.5 / count)
    logit = np.log(rates) - np.log1p(-rates)
    ability = np.add.reduceat(logit, log.index.offsets[:-1]) / log.index.sizes
    offset = (logit - np.repeat(ability, log.index.sizes)).astype(np.float32)
    failing, passing = _score_of_each_kind(log)
    return Learner(log.index, log.tokens, ability, offset, failing=failing, passing=passing, **parameters)


def _score_of_each_kind(log: LoggedWorld) -> tuple[float, float]:
    passed = log.scores >= log.pass_threshold
    means = [float(log.scores[kind].mean()) if kind.any() else None for kind in (~passed, passed)]
    away = next(max(0.5, abs(mean - log.pass_threshold)) for mean in means if mean is not None)
    failing, passing = means
    return (
        log.pass_threshold - away if failing is None else failing,
        log.pass_threshold + away if passing is None else passing,
    )
