"""How trajectories are scored and sorted: the YAML file, with every mistake at once, and what the command line adds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from curriculum_verl.bucketing.settings import Settings, cut_problems
from curriculum_verl.curriculum.sources import read_yaml
from curriculum_verl.difficulty import Metric, mean_reward
from curriculum_verl.dotted import load_dotted
from curriculum_verl.errors import ConfigError, InputError, unknown_name
from curriculum_verl.rewards.settings import CoherenceSettings, Operations
from curriculum_verl.rollouts.fields import ROLES as ROLLOUT_ROLES
from curriculum_verl.schema import INVALID, Name, NotNegative, PartShare, Positive, Reader, Share

ROOT = "difficulty"
SCORE = "difficulty_score"
# Role -> the fields that may hold it; of several, the first that a line has counts.
ROLES: dict[str, tuple[str, ...]] = {
    "id": ROLLOUT_ROLES["id"],
    "messages": ("messages",),
    "trajectory": ("trajectory",),
    "prompt": ("prompt", "question"),
    "response": ("response",),
    "answer": ("answer", "final_answer"),
    "task_type": ("task_type",),
    "trap": ("trap", "is_trap", "sample_type"),
}
WEIGHTS = {
    "trajectory_complexity": 0.30,
    "operation_sophistication": 0.25,
    "reasoning_depth": 0.20,
    "error_patterns": 0.15,
    "task_type": 0.10,
}


@dataclass(frozen=True, slots=True)
class Halves:
    """The amount of each that counts one half; twice as much counts two thirds, and no amount counts 1."""

    length: Positive = 12.0  # steps and calls
    variety: Positive = 3.0  # different operations
    operations: Positive = 6.0  # their weights added up
    steps: Positive = 8.0  # of reasoning
    errors: Positive = 2.0  # corrections, and calls that cannot be made

    def share(self, of: str, amount: float) -> float:
        """What an amount counts, from 0 to 1."""
        return amount / (amount + float(getattr(self, of)))


@dataclass(frozen=True, slots=True)
class Traps:
    """What becomes of samples marked as traps: raised to a score of at least `floor`, kept as they are, or rejected."""

    action: Literal["raise", "keep", "reject"] = "raise"
    floor: PartShare = 0.75


@dataclass(frozen=True, slots=True)
class Scoring:
    """What a score is made of: the mean of the factors by their weights.

    Weights that are not named stay as they are; a scorer is package.module:function, for a factor of its name.
    """

    weights: dict[str, NotNegative] = field(default_factory=dict)
    scorers: dict[str, Name] = field(default_factory=dict)
    operations: Operations = field(default_factory=Operations)
    other_operations: NotNegative = 1.0  # the weight of an operation that `operations` does not name
    halves: Halves = Halves()
    markers: tuple[Name, ...] = CoherenceSettings().markers
    task_types: dict[str, Share] = field(default_factory=dict)
    other_task_types: Share = 0.5
    traps: Traps = Traps()
    fields: dict[str, Name] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = _name_problems(self.weights, self.scorers, self.fields)
        object.__setattr__(self, "weights", WEIGHTS | self.weights)
        if not any(self.weights.values()):
            problems.append("weights: got only zeros, expected at least one above 0")
        if problems:
            raise ConfigError(problems, ROOT)

    @property
    def all_fields(self) -> dict[str, tuple[str, ...]]:
        """The fields of every role."""
        return ROLES | {role: (path,) for role, path in self.fields.items()}


def _name_problems(weights: Mapping[str, Any], scorers: Mapping[str, Any], fields: Mapping[str, Any]) -> list[str]:
    """Names that name nothing, and scorers that cannot be used."""
    known = {*WEIGHTS, *scorers}
    problems = [f"weights.{unknown_name('factor', name, sorted(known))}" for name in weights if name not in known]
    problems += [f"fields.{unknown_name('role', role, ROLES)}" for role in fields if role not in ROLES]
    for name, path in scorers.items():
        if name not in {*WEIGHTS, *weights}:
            problems.append(f"scorers.{name}: has no weight; give it one under weights")
        try:
            load_dotted(path) if isinstance(path, str) else None  # of another type, the reader says so
        except InputError as error:
            problems.append(f"scorers.{name}: {error}")
    return problems


def read_scoring(source: Path | Mapping[str, Any]) -> Scoring:
    """The block `difficulty` of a YAML file or a mapping; all mistakes are told together."""
    name = str(source) if isinstance(source, Path) else f"{ROOT} config"
    data = read_yaml(source) if isinstance(source, Path) else source
    if not isinstance(data, Mapping) or ROOT not in data:
        raise ConfigError([f"{ROOT}: is missing; expected a block `{ROOT}:`, such as `{ROOT}: {{weights: ...}}`"], name)
    reader = Reader()
    block = {} if data[ROOT] is None else data[ROOT]
    scoring = reader.construct(Scoring, block, ROOT)
    if scoring is INVALID and isinstance(block, Mapping):  # a mistake elsewhere hides no wrong name
        parts = [block.get(part) or {} for part in ("weights", "scorers", "fields")]
        names = _name_problems(*(part if isinstance(part, Mapping) else {} for part in parts))
        reader.problems += [said for said in (f"{ROOT}.{one}" for one in names) if said not in reader.problems]
    if reader.problems:
        raise ConfigError(reader.problems, name)
    found: Scoring = scoring
    return found


@dataclass(frozen=True, slots=True)
class TrajectorySettings(Settings):
    """How trajectories are bucketed: as rollouts are, by their score, the higher the harder."""

    metric: str = SCORE
    rating: Scoring = field(default_factory=Scoring)
    split: bool = False  # a file for every bucket, not one for all

    twice: ClassVar[str] = (
        "ids must stand once: --on-duplicate first keeps the first line, `fields: {id: FIELD}` in --config takes "
        "another field for the id"
    )
    tied: ClassVar[str] = ""
    unwanted: ClassVar[tuple[str, ...]] = ("trap",)

    def find_metrics(self) -> tuple[Metric, Metric | None]:
        """The score, of which there is one a line; nothing breaks its ties."""
        return Metric(SCORE, mean_reward, "low_is_easy"), None

    def bucket_names(self) -> tuple[str, ...]:
        """The names of the buckets; what is easy for a prompt is simple for a trajectory."""
        names = super(TrajectorySettings, self).bucket_names()
        return names if self.names else tuple(name.replace("easy", "simple") for name in names)


def trajectory_settings(scoring: Scoring, **given: Any) -> TrajectorySettings:
    """Settings with the fields of the scoring; every mistake in what was given besides it at once."""
    # A line's own rewards may have any shape, since nothing asks for them: what counts is the score.
    fields = {**ROLLOUT_ROLES, **scoring.all_fields, "reward": (SCORE,)}
    settings = TrajectorySettings(rating=scoring, fields=fields, **given)
    if problems := cut_problems(settings):
        raise ConfigError(problems, "arguments")
    return settings
