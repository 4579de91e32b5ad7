"""Runs a command: errors meant for people are printed without a traceback, and become the exit code."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from curriculum_verl.errors import CurriculumError


def run(name: str, main: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None = None) -> int:
    """The exit code of a command: 1 after an error, 130 after Ctrl-C."""
    sys.path.append(str(Path.cwd()))  # a recipe may name a policy or metric in the folder where the user stands
    try:
        return int(main(argv))
    except (CurriculumError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
