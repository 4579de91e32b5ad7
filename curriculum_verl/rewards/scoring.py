"""What is scored, and what a score says: the one interface of verifiers and reward components."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Response:
    """One response with all that may be known of its prompt.

    `ground_truth` and `extra` are as in the data; `style` is reward_model.style; `prompt` the messages' text, if known.
    """

    text: str
    ground_truth: Any = None
    data_source: str = ""
    style: str = ""
    prompt: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Score:
    """A finite raw value with its parts, or no value and the reason why there is none."""

    value: float | None
    parts: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None


class Component(Protocol):
    """Scores one response by itself. Stateless: responses go to any of many workers, in any order."""

    def score(self, response: Response) -> Score:
        """The raw score, never weighted."""
