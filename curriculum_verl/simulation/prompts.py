"""The prompts that curricula are played on, and as often as is wanted a world where nothing is learned yet."""

from dataclasses import dataclass

from curriculum_verl.simulation.logs import CHARACTERS_PER_TOKEN, Log
from curriculum_verl.simulation.setup import Setup
from curriculum_verl.simulation.worlds import SCREENING, TOKENS, World, invented_learner, learner_from_log


@dataclass(frozen=True, slots=True, eq=False)
class Prompts:
    """Those of a log, or so many invented ones a bucket."""

    sizes: dict[str, int]  # by bucket, easiest first
    log: Log | None = None

    @classmethod
    def logged(cls, log: Log) -> "Prompts":
        """Those of a log."""
        return cls(log.sizes, log)

    @property
    def buckets(self) -> tuple[str, ...]:
        """Their names, easiest first."""
        return tuple(self.sizes)

    def world(self, pass_threshold: float, setup: Setup) -> World:
        """A world that starts where the prompts stand; logged ones may also answer as they did, learning nothing."""
        if self.log is None:
            return invented_learner(self.sizes, setup.run.seed, **setup.learner)
        logged = self.log.world(pass_threshold)
        return learner_from_log(logged, **setup.learner) if setup.learns else logged

    def in_words(self) -> list[str]:
        """Which they are, how they came into buckets, and what their tokens are counted as."""
        buckets = ", ".join(f"{name} ({size:,})" for name, size in self.sizes.items())
        if self.log is None:
            origin = f"invented, screened with {SCREENING} responses each"
        else:
            origin = "logged, cut into the buckets by mean score" if self.log.cut else "logged, each file a bucket"
        return [f"prompts: {origin}; easiest bucket first: {buckets}", f"tokens: {self._tokens()}"]

    def _tokens(self) -> str:
        guess = f"{TOKENS:.0f} a response"
        if self.log is None:
            return f"{guess}, as nothing is generated"
        texts = [found is not None for found in self.log.tokens]
        told = f"the mean length of a bucket's logged responses, {CHARACTERS_PER_TOKEN:.0f} characters a token"
        if all(texts):
            return told
        without = [name for name, has in zip(self.sizes, texts, strict=True) if not has]
        return (
            f"{told}; where no text was logged ({', '.join(without)}), {guess}"
            if any(texts)
            else f"{guess}, as no text was logged"
        )
