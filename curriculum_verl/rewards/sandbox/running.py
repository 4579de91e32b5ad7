"""What every sandbox does: runs a program's tests, and says of each how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from curriculum_verl.errors import CurriculumError

Ended = Literal["finished", "failed", "timeout", "killed", "output", "no time", "not started"]


class SandboxError(CurriculumError):
    """A sandbox that could not run a program: nothing is known of the program."""


@dataclass(frozen=True, slots=True)
class Program:
    """One run: with text on its standard input, a call of one of its functions, or statements that note values down."""

    kind: Literal["stdin", "call", "evaluate"]
    stdin: str = ""
    function: str = ""
    arguments: tuple[Any, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """How a program ended, its output, and the values that were asked of it, as JSON."""

    ended: Ended
    output: str = ""
    value: str | None = None
    cpu: float = 0.0


class Sandbox(Protocol):
    """Runs code once for every program, each time in a process of its own."""

    def run(self, code: str, programs: Sequence[Program]) -> list[Run]:
        """One run for each program; SandboxError when the sandbox itself fails."""
