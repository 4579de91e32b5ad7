"""From a sample to its score, and from a line to the line that is written."""

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from curriculum_verl.bucketing.looking import Seen
from curriculum_verl.dotted import load_dotted
from curriculum_verl.rollouts.scores import LineError
from curriculum_verl.trajectories.factors import FACTORS, Factor
from curriculum_verl.trajectories.reading import Sample, TrajectoryReader
from curriculum_verl.trajectories.settings import SCORE, WEIGHTS, Scoring, TrajectorySettings

CHAT = "messages"
LABEL, PARTS, TRAP = "difficulty", "difficulty_factors", "difficulty_trap"
DIGITS = 6  # what is written is what is cut by: equal scores in the file are equal scores to the cuts
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Scored:
    """A score and the factors behind it; that of a trap may be raised above their mean."""

    score: float
    factors: dict[str, float]


class Scorer:
    """Scores samples: the mean of all factors whose weight is not 0."""

    def __init__(self, scoring: Scoring):
        own = {name: load_dotted(path) for name, path in scoring.scorers.items()}
        self._scoring = scoring
        self._factors: dict[str, Factor] = {
            name: own.get(name) or FACTORS[name] for name in {**WEIGHTS, **own} if scoring.weights[name]
        }
        self._total = sum(scoring.weights[name] for name in self._factors)

    def __call__(self, sample: Sample) -> Scored:
        """The score; a LineError where a user's own factor fails."""
        factors = {name: round(self._value(name, sample), DIGITS) for name in self._factors}
        mean = sum(self._scoring.weights[name] * value for name, value in factors.items()) / self._total
        traps = self._scoring.traps
        if sample.trap and traps.action == "raise":
            mean = traps.floor + (1.0 - traps.floor) * mean  # traps keep their order among themselves
        return Scored(round(min(1.0, mean), DIGITS), factors)

    def _value(self, name: str, sample: Sample) -> float:
        try:
            value = float(self._factors[name](sample, self._scoring))
        except (Exception, SystemExit) as error:  # a user's function may fail in any way: it costs one line
            said = repr(error).encode(errors="backslashreplace").decode()
            raise LineError("scorer", f"{name}: raised {said}") from error
        if not 0.0 <= value <= 1.0:
            raise LineError("scorer", f"{name}: gave {value}, expected a number from 0 to 1")
        return value


class TrajectoryLook:
    """Lines are trajectories: what counts is the score, and the line that is written has it at its end.

    One that is no chat is written with one, so that it can be trained on.
    """

    rewrites: ClassVar[bool] = True

    def __init__(self, settings: TrajectorySettings):
        self._traps = settings.rating.traps
        self._read = TrajectoryReader(settings)
        self._score = Scorer(settings.rating)

    def __call__(self, line: bytes) -> Seen:
        """Read and score; of all fields but those that are added, the bytes stay as they are."""
        key, name, sample = self._read.sample(line)
        if sample.trap and self._traps.action == "reject":
            raise LineError("trap", "is marked as a trap, and traps.action is reject")
        scored = self._score(sample)
        fields = _RAW.decode(line)
        for name_of_ours in (SCORE, PARTS, TRAP, LABEL):
            fields.pop(name_of_ours, None)  # of an earlier run
        chat = {} if sample.chat is None or CHAT in fields else {CHAT: sample.chat}
        added = {SCORE: scored.score, PARTS: scored.factors, TRAP: sample.trap, LABEL: None}  # the label comes last
        written = msgspec.json.encode({**fields, **chat, **added})
        return Seen(key, False, name, (1, 0, scored.score, scored.score, 0.0), written)
