"""Runs a command: errors meant for people are printed without a traceback, and become the exit code."""

import io
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from curriculum_verl.errors import CurriculumError, InputError, with_hint

SOON = 0.05  # seconds


def run(name: str, main: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None = None) -> int:
    """The exit code of a command, which has nothing left to do then but to end: 1 after an error, 130 after Ctrl-C."""
    sys.path.append(str(Path.cwd()))  # a recipe may name a policy or metric in the folder where the user stands
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot show must not end the command
            stream.reconfigure(errors="backslashreplace")
    hook, sys.unraisablehook = sys.unraisablehook, _hear_again
    try:
        _refuse_bytes(sys.argv[1:] if argv is None else argv)
        return int(main(argv))
    except CurriculumError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{name}: {with_hint(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _end_without_a_word()
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        _end_without_a_word()
        sys.unraisablehook = hook


def _end_without_a_word() -> None:
    """Let Ctrl-C end the rest at once: in what libraries do last, Python would print where it was."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _hear_again(ignored: "sys.UnraisableHookArgs") -> None:
    """Python prints and forgets what is raised while an object goes; Ctrl-C is sent again when that is over."""
    if isinstance(ignored.exc_value, KeyboardInterrupt):
        again = threading.Timer(SOON, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(ignored)


def _refuse_bytes(arguments: Sequence[str]) -> None:
    """Python hands over bytes that are no text as half characters, which no file of ours can hold."""
    for argument in arguments:
        if not argument.isascii() and argument != argument.encode(errors="replace").decode():
            raise InputError(f"got the argument {argument!r}, expected text in UTF-8")
