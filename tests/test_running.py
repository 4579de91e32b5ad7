"""Ctrl-C, whenever it comes: it is heard, and nothing but that is said."""

import signal
import subprocess
import sys

import pytest

COMMAND = """
import atexit, signal, sys, time
from curriculum_verl.commands.running import run

class Goes:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def main(argv):
{main}

sys.exit(run("command", main, []))
"""


def ended(main: str) -> tuple[int, str]:
    code = COMMAND.format(main="".join(f"    {line}\n" for line in main.splitlines()))
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, **heard)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "main",
    ["signal.raise_signal(signal.SIGINT)", "Goes()\ntime.sleep(30)"],
    ids=["at work", "while an object goes"],
)
def test_ctrl_c_ends_a_command_with_a_word(main):
    assert ended(main) == (130, "interrupted\n")


@pytest.mark.parametrize("code", [0, 1])
def test_ctrl_c_when_all_is_done_ends_it_without_a_word(code):
    assert ended(f"atexit.register(Goes)\nreturn {code}") == (-signal.SIGINT, "")


def test_a_second_ctrl_c_ends_it_at_once():
    assert ended("atexit.register(Goes)\nsignal.raise_signal(signal.SIGINT)") == (-signal.SIGINT, "interrupted\n")


def test_what_else_is_raised_while_an_object_goes_is_printed_as_by_python():
    code, said = ended("class Bad:\n    def __del__(self):\n        raise ValueError('told')\nBad()\nreturn 0")
    assert code == 0
    assert said.startswith("Exception ignored in: ")
    assert said.endswith("ValueError: told\n")
