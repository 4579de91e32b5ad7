"""A score is finite, or it is none and says why: whatever a verifier does."""

import math
from typing import Any

from curriculum_verl.errors import CurriculumError
from curriculum_verl.rewards.scoring import Component, Response, Score

_LONGEST = 300


def guarded(component: Component, response: Response) -> Score:
    """The component's score, or none with the reason; never an exception."""
    try:
        if not isinstance(response.text, str):
            return failed(f"response: got {type(response.text).__name__}, expected text")
        return finite(component.score(response))
    except CurriculumError as error:
        return failed(str(error))
    except Exception as error:  # a verifier, a library or the user's function may fail in any way
        return failed(f"{type(error).__name__}: {error}")


def failed(reason: str) -> Score:
    """No score, for this reason."""
    reason = " ".join(reason.split())
    return Score(None, {}, reason if len(reason) <= _LONGEST else reason[: _LONGEST - 3] + "...")


def finite(score: Any) -> Score:
    """The score with plain floats, or the reason why it is none."""
    if not isinstance(score, Score):
        return failed(f"the verifier gave {type(score).__name__}, expected Score")
    if score.value is None:
        return failed(score.failure or "the verifier gave no reason")
    value = _number(score.value)
    if value is None:
        return failed(f"the verifier gave {str(score.value)[:60]}, expected a finite number")
    parts = {str(name): number for name, part in score.parts.items() if (number := _number(part)) is not None}
    return Score(value, parts)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
