"""Trajectories made up for tests."""

from typing import Any

from curriculum_verl.rewards.settings import Operations
from curriculum_verl.rewards.trajectory import read_trajectory
from curriculum_verl.trajectories.reading import Sample


def sample(text: str, *, task_type: str | None = None, trap: bool = False, line: bytes = b"{}") -> Sample:
    """A sample of what a model said and called."""
    return Sample("", text, read_trajectory(text, Operations()), task_type, trap, line)


def cota(number: int, turns: int, **more: Any) -> dict[str, Any]:
    """A chain of thought and action, the longer the harder."""
    steps = [
        {"thought": f"At {turn} of {number} there is something.", "action": "ZOOM_IN", "arguments": {"x": turn}}
        for turn in range(turns)
    ]
    return {"id": f"q{number}", "question": f"Question {number}?", "trajectory": steps, "answer": number} | more
