"""One response in numbers: its length, steps, calls, coherence, loops, exploration."""

from dataclasses import dataclass, field

from curriculum_verl.rewards.coherence import Coherence
from curriculum_verl.rewards.repetition import loop_share, repeated_share
from curriculum_verl.rewards.scorer import ScoringSettings
from curriculum_verl.rewards.trajectory import Trajectory, read_trajectory
from curriculum_verl.rewards.usage import Trace, efficiency

STUCK = 0.5  # the loop score from which a response is stuck in a loop
LEAST_ITEMS = 4  # steps, or calls: of fewer, no two would only repeat a round
HALF = 2  # distinct calls (or steps) that count half of what endlessly many would
START, END, MALFORMED, UNKNOWN = "(start)", "(end)", "(malformed)", "(unknown)"


@dataclass(frozen=True, slots=True)
class Judging:
    """How responses are read and judged: the same for all runs, whatever the runs themselves were rewarded for."""

    scoring: ScoringSettings = field(default_factory=ScoringSettings)
    pass_threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """A response. `loop_score` is from 0 to 1, and STUCK or more in a loop; `coherence` is None where it failed."""

    characters: int
    steps: int
    trace: Trace
    path: tuple[str, ...]  # tools in the order of their calls
    unknown: tuple[str, ...]  # operations that the settings do not name
    coherence: float | None
    loops: float
    loop_score: float
    exploration: float

    @property
    def stuck(self) -> bool:
        """Whether it is stuck in a loop."""
        return self.loop_score >= STUCK


class Judge:
    """Judges responses one by one, by the components of the rewards themselves."""

    def __init__(self, judging: Judging):
        self._scoring = judging.scoring
        self._coherence = Coherence(judging.scoring.coherence, judging.scoring.operations)

    def read(self, text: str, prompt: str) -> Trajectory:
        """The response as a trajectory."""
        return read_trajectory(text, self._scoring.operations, prompt)

    def see(self, text: str, prompt: str, passed: bool) -> Seen:
        """All numbers of a response."""
        trajectory = self.read(text, prompt)
        trace = Trace.of(trajectory, self._scoring.operations, self._scoring.curiosity.digits)
        loops, loop_score = self._loops(trajectory)
        path, unknown = self._path(trajectory)
        return Seen(
            characters=len(text),
            steps=len(trajectory.steps),
            trace=trace,
            path=path,
            unknown=unknown,
            coherence=self._coherence.judge(trajectory).value,
            loops=loops,
            loop_score=loop_score,
            exploration=_exploration(trajectory, trace) * (1 - loop_score) * (1.0 if passed else 0.5),
        )

    def _loops(self, trajectory: Trajectory) -> tuple[float, float]:
        """The share of steps or calls that only repeat a round, and the score: half at coherence's own limits."""
        settings = self._scoring.coherence
        made = [(operation.name, operation.arguments) for operation in trajectory.operations]
        loops = max((loop_share(items) for items in (trajectory.steps, made) if len(items) >= LEAST_ITEMS), default=0.0)
        text = "\n".join(trajectory.steps).encode("utf-8", "surrogatepass")
        repeated = repeated_share(text, settings.window) if len(text) >= 2 * settings.window else 0.0
        return loops, min(1.0, STUCK * max(loops / settings.loops.limit, repeated / settings.repetition.limit))

    def _path(self, trajectory: Trajectory) -> tuple[tuple[str, ...], tuple[str, ...]]:
        path, unknown = [], []
        for operation in trajectory.operations:
            if operation.fault == "unknown_operation":
                unknown.append(operation.name)
                path.append(UNKNOWN)
            elif operation.fault is not None:
                path.append(MALFORMED)
            elif operation.name not in self._scoring.operations.thoughts:
                path.append(operation.name)
        return tuple(path), tuple(unknown)


def _exploration(trajectory: Trajectory, trace: Trace) -> float:
    """How much is tried without trying it twice: of calls, or where there are none of steps."""
    distinct, share = len(set(trace.operations)), efficiency(trace)
    if not trace.attempts and trajectory.steps:
        distinct = len(set(trajectory.steps))
        share = distinct / len(trajectory.steps)
    return share * distinct / (distinct + HALF)
