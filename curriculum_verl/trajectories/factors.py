"""The factors of difficulty, each from 0 to 1: functions of a sample and the settings, as a user's own are."""

from collections.abc import Callable

from curriculum_verl.rewards.repetition import loop_share
from curriculum_verl.trajectories.reading import Sample
from curriculum_verl.trajectories.settings import Scoring

Factor = Callable[[Sample, Scoring], float]

_MARKER_LENGTH = 80  # characters: only the beginning of a step is looked at
_NOT_KNOWN = "unknown_operation"  # a tool that the settings do not name is no mistake of the trajectory


def trajectory_complexity(sample: Sample, scoring: Scoring) -> float:
    """How long the trajectory is, and how many different operations it uses; each is a half."""
    steps, operations = sample.trajectory.steps, sample.trajectory.operations
    names = {operation.name for operation in operations if operation.name}
    halves = scoring.halves
    return (halves.share("length", len(steps) + len(operations)) + halves.share("variety", len(names))) / 2


def operation_sophistication(sample: Sample, scoring: Scoring) -> float:
    """How heavy the heaviest operation is, and all of them together; each is a half."""
    weights, other = scoring.operations.weights, scoring.other_operations
    used = [
        weights.get(operation.name, other)
        for operation in sample.trajectory.operations
        if operation.fault in (None, _NOT_KNOWN)
    ]
    heaviest = max([*weights.values(), other])
    if not used or not heaviest:
        return 0.0
    return (max(used) / heaviest + scoring.halves.share("operations", sum(used))) / 2


def reasoning_depth(sample: Sample, scoring: Scoring) -> float:
    """How many steps of reasoning there are, times their share among steps and tool calls."""
    thoughts = scoring.operations.thoughts
    steps = len(sample.trajectory.steps)
    calls = sum(operation.name not in thoughts for operation in sample.trajectory.operations)
    return scoring.halves.share("steps", steps) * steps / (steps + calls) if steps else 0.0


def error_patterns(sample: Sample, scoring: Scoring) -> float:
    """Steps that take something back, calls that cannot be made, and whatever only repeats what came before."""
    trajectory = sample.trajectory
    markers = tuple(marker.lower() for marker in scoring.markers)
    corrections = sum(step[:_MARKER_LENGTH].lower().startswith(markers) for step in trajectory.steps)
    broken = sum(operation.fault not in (None, _NOT_KNOWN) for operation in trajectory.operations)
    made = [(operation.name, operation.arguments) for operation in trajectory.operations]
    loops = max(loop_share(trajectory.steps), loop_share(made))
    return 1.0 - (1.0 - scoring.halves.share("errors", corrections + broken)) * (1.0 - loops)


def task_type(sample: Sample, scoring: Scoring) -> float:
    """What the settings say of the task's type."""
    return scoring.task_types.get(sample.task_type or "", scoring.other_task_types)


FACTORS: dict[str, Factor] = {
    factor.__name__: factor
    for factor in (trajectory_complexity, operation_sophistication, reasoning_depth, error_patterns, task_type)
}
