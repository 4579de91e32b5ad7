"""A response as a list of what it does, one thing after the other, to be drawn or listed."""

from dataclasses import dataclass
from typing import Literal

from curriculum_verl.rewards.trajectory import Trajectory

Kind = Literal["step", "call", "malformed", "answer"]


@dataclass(frozen=True, slots=True)
class Item:
    """A step, a call, or the answer; `again` is the number, from 1, of the same thing before it."""

    kind: Kind
    text: str
    again: int | None = None


def items_of(trajectory: Trajectory) -> list[Item]:
    """Steps and calls in their order, and the answer at the end."""
    listed: list[tuple[Kind, str]] = []
    calls = list(trajectory.operations)
    for number, step in enumerate(trajectory.steps):
        while calls and calls[0].step <= number:
            call = calls.pop(0)
            listed.append(_call(call.name, call.arguments, call.fault))
        listed.append(("step", step))
    listed += [_call(call.name, call.arguments, call.fault) for call in calls]
    if trajectory.answer is not None:
        listed.append(("answer", trajectory.answer))
    first: dict[tuple[Kind, str], int] = {}
    found = []
    for number, thing in enumerate(listed, 1):
        again = first.setdefault(thing, number)
        found.append(Item(*thing, again if again < number else None))
    return found


def _call(name: str, arguments: str, fault: str | None) -> tuple[Kind, str]:
    if fault is not None:
        return "malformed", f"{name or 'a call'} ({fault.replace('_', ' ')})"
    return "call", f"{name} {arguments}"


def shortened(items: list[Item], most: int) -> list[tuple[int, Item | None]]:
    """At most so many with their numbers from 1; where the middle is left out stands the number of the first left out.

    The end always stays: there is the answer, or the loop that a response did not leave.
    """
    numbered: list[tuple[int, Item | None]] = list(enumerate(items, 1))
    if len(items) <= most:
        return numbered
    head = (most - 1) * 2 // 3
    return [*numbered[:head], (head + 1, None), *numbered[len(items) - (most - 1 - head) :]]
