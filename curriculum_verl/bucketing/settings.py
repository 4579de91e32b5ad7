"""What the user asked for, checked as a whole before anything is read."""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from curriculum_verl.difficulty import Metric, find_metric
from curriculum_verl.difficulty import Settings as MetricSettings
from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.rollouts.fields import ROLES

NAMES = {
    1: ("all",),
    2: ("easy", "hard"),
    3: ("easy", "medium", "hard"),
    4: ("easy", "medium", "hard", "very_hard"),
    5: ("very_easy", "easy", "medium", "hard", "very_hard"),
}
ALWAYS, NEVER = "always_solved", "never_solved"
LONGEST_NAME = 100  # bytes; several names are put together for a combined file
NOT_IN_NAMES = set("/\\\0\n")
TAKEN = ("manifest", "rejects", "report")  # names of other files in the folder


@dataclass(frozen=True, slots=True)
class Settings:
    """How rollouts are bucketed. Names run from easiest to hardest, but with thresholds along the metric's axis."""

    metric: str = "mean_reward"
    buckets: int | None = None
    names: tuple[str, ...] | None = None
    thresholds: tuple[float, ...] | None = None
    pass_threshold: float = 0.5
    k: int = 1
    prefix: str = ""
    tie_break: str | None = None
    min_responses: int = 1
    split_degenerate: bool = False
    on_invalid: Literal["error", "reject"] = "error"
    on_duplicate: Literal["error", "merge", "first"] = "error"
    fields: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(ROLES))

    # What messages advise, and the reasons for which a line is always a reject and never an error.
    twice: ClassVar[str] = (
        "ids must stand once: --on-duplicate merge pools their responses, first "
        "keeps the first line, --fields id=FIELD takes another field for the id"
    )
    tied: ClassVar[str] = "; --tie-break METRIC tells them apart"
    unwanted: ClassVar[tuple[str, ...]] = ()

    @property
    def count(self) -> int:
        """How many buckets the cuts make; those for degenerate prompts come on top."""
        if self.thresholds is not None:
            return len(self.thresholds) + 1
        if self.buckets is not None:
            return self.buckets
        return len(self.names) if self.names else 3

    @property
    def scoring(self) -> MetricSettings:
        """What metrics are told."""
        return MetricSettings(self.pass_threshold, self.k)

    def find_metrics(self) -> tuple[Metric, Metric | None]:
        """The metric, and the one that breaks its ties."""
        return find_metric(self.metric), find_metric(self.tie_break) if self.tie_break else None

    def bucket_names(self) -> tuple[str, ...]:
        """The names of the cut buckets, easiest first."""
        if self.names is None:
            return NAMES.get(self.count) or numbered(self.count)
        metric, _ = self.find_metrics()
        along_the_axis = self.thresholds is not None and metric.direction == "high_is_easy"
        return self.names[::-1] if along_the_axis else self.names


def numbered(count: int) -> tuple[str, ...]:
    """level_1, level_2, ...: names for many buckets, in order even where they are sorted."""
    width = len(str(count))
    return tuple(f"level_{number:0{width}}" for number in range(1, count + 1))


def check_settings(settings: Settings) -> None:
    """Every mistake at once."""
    problems: list[str] = []
    for flag, name in (("-m", settings.metric), ("--tie-break", settings.tie_break)):
        try:
            find_metric(name) if name else None
        except InputError as error:
            problems.append(f"{flag}: {error}")
    if settings.tie_break == settings.metric:
        problems.append(f"--tie-break: got {settings.tie_break} twice, expected a metric other than that of -m")
    if settings.k < 1:
        problems.append(f"--k: got {settings.k}, expected at least 1")
    if settings.min_responses < 1:
        problems.append(f"--min-responses: got {settings.min_responses}, expected at least 1")
    if not math.isfinite(settings.pass_threshold):
        problems.append(f"--pass-threshold: got {settings.pass_threshold}, expected a finite number")
    problems += cut_problems(settings)
    if problems:
        raise ConfigError(problems, "arguments")


def cut_problems(settings: Settings) -> list[str]:
    """What is wrong with how many buckets there are, their thresholds and names."""
    problems = [f"-n: got {settings.buckets}, expected at least 1"] if settings.count < 1 else []
    return problems + _threshold_problems(settings) + _name_problems(settings)


def _threshold_problems(settings: Settings) -> list[str]:
    cuts = settings.thresholds
    if cuts is None:
        return []
    problems = []
    if list(cuts) != sorted(set(cuts)) or not all(map(math.isfinite, cuts)):
        shown = " ".join(f"{cut:g}" for cut in cuts)
        problems.append(f"--thresholds: got {shown}, expected finite numbers, each larger than the one before")
    if settings.buckets not in (None, len(cuts) + 1):
        problems.append(
            f"-n: got {settings.buckets} buckets, but {len(cuts)} thresholds make {len(cuts) + 1}; leave one out"
        )
    if settings.tie_break:
        problems.append("--tie-break: has no meaning with --thresholds, which say themselves where a value belongs")
    return problems


def _name_problems(settings: Settings) -> list[str]:
    names = settings.names
    problems = []
    if set(settings.prefix) & NOT_IN_NAMES or settings.prefix.startswith("."):
        problems.append(f"--prefix: got {settings.prefix!r}, expected the beginning of a file's name")
    if names is None:
        return problems
    if len(names) != settings.count:
        problems.append(f"--bucket-names: got {len(names)} names for {settings.count} buckets, expected one for each")
    if len({name.lower() for name in names}) < len(names):
        problems.append(f"--bucket-names: got {' '.join(names)}, expected every name once")
    taken = TAKEN + ((ALWAYS, NEVER) if settings.split_degenerate else ())
    for name in names:
        if not name or name.startswith(".") or set(name) & NOT_IN_NAMES or len(name.encode()) > LONGEST_NAME:
            problems.append(
                f"--bucket-names: got {name!r}, expected the name of a file: short, without / or a first dot"
            )
        if name.lower() in taken:
            problems.append(f"--bucket-names: got {name!r}, expected a name other than {', '.join(taken)}")
    return problems
