"""What is made of a line when it is read: for rollouts, the numbers of their scores."""

from typing import ClassVar, NamedTuple, Protocol

from curriculum_verl.bucketing.facts import Measure
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.rollouts.scores import ScoreReader


class Seen(NamedTuple):
    """What a look at a line found; `numbers` are those of FACTS: count, passes, mean, value, tie."""

    key: int
    part: bool
    format: str
    numbers: tuple[int, int, float, float, float]
    content: bytes | None = None


class Look(Protocol):
    """What is made of a line. A look that `rewrites` gives the content that is copied to a bucket in its stead."""

    rewrites: ClassVar[bool]

    def __call__(self, line: bytes) -> Seen:
        """Look at a line; a LineError says what is wrong with it."""


class RolloutLook:
    """Lines are rollouts: what counts are their scores."""

    rewrites: ClassVar[bool] = False

    def __init__(self, settings: Settings):
        self._read = ScoreReader(settings.fields)
        self._measure = Measure(settings)

    def __call__(self, line: bytes) -> Seen:
        """The numbers of a line's scores."""
        scored = self._read(line)
        return Seen(scored.key, scored.part, scored.format, self._measure(scored.scores))
