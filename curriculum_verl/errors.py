"""Errors for people: what was got, what is expected, what to do."""

import difflib
import errno
from collections.abc import Iterable

WHAT_TO_DO = {
    errno.ENOSPC: "the disk is full: free some space, or write to another disk",
    errno.EDQUOT: "the quota of the disk is used up: free some space, or write to another disk",
    errno.EACCES: "you may not do that there: change the rights, or take another folder",
    errno.EROFS: "that disk cannot be written to: take another folder",
}


class CurriculumError(Exception):
    """Every error that this package raises on purpose; commands print it without a traceback."""


class InputError(CurriculumError):
    """A value, file or line that cannot be used."""


class ConfigError(CurriculumError):
    """All mistakes of one configuration, each with its path."""

    def __init__(self, problems: list[str], source: str = "curriculum config"):
        self.problems = problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{source}: {count}", *(f"  - {problem}" for problem in problems)]))


class StateError(CurriculumError):
    """A saved state that does not fit this run."""


class TrainingError(CurriculumError):
    """A run that went wrong by itself."""


def with_hint(error: OSError) -> str:
    """What the system says, and what to do about it."""
    hint = WHAT_TO_DO.get(error.errno or 0)
    return f"{error}; {hint}" if hint else str(error)


def unknown_name(what: str, got: str, known: Iterable[str]) -> str:
    """The message for a name that is not among the known ones, with the nearest match."""
    known = list(known)
    near = difflib.get_close_matches(got, known, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {what} {got!r}, expected one of {', '.join(known)}{hint}"
