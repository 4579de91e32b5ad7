"""Code with unit tests: the response's program is run in a sandbox, once for each test."""

import re
from dataclasses import dataclass
from itertools import zip_longest

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.sandbox.running import Sandbox
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.verifiers.answers import after_thinking
from curriculum_verl.rewards.verifiers.unit_tests import read_tests

_FENCE = re.compile(r"^[ ]{0,3}```[ ]*(\w*)[^\n]*$", re.MULTILINE)
_PYTHON = ("python", "py", "python3")
_LONGEST = 200_000  # characters of a program


@dataclass(frozen=True, slots=True)
class CodeVerifier:
    """The share of tests passed or, without partial credit, whether all are."""

    sandbox: Sandbox
    partial_credit: bool = False

    def score(self, response: Response) -> Score:
        """One part for each test, 1 or 0, and the share."""
        tests = read_tests(response.ground_truth)
        code = find_code(after_thinking(response.text))
        if not code.strip() or len(code) > _LONGEST:
            passed = [False] * len(tests)
        else:
            runs = self.sandbox.run(code, [test.program for test in tests])
            if len(runs) != len(tests):
                raise InputError(f"the sandbox gave {len(runs)} results, expected {len(tests)}")
            passed = [test.passed(run) for test, run in zip(tests, runs, strict=True)]
        share = sum(passed) / len(tests)
        parts = {f"test_{number}": float(right) for number, right in enumerate(passed)}
        return Score(share if self.partial_credit else float(all(passed)), {**parts, "tests_passed": share})


def find_code(text: str) -> str:
    """The last block fenced as Python, else the last fenced block, else the whole text."""
    fences = list(_FENCE.finditer(text))
    blocks = []
    for start, end in zip_longest(fences[::2], fences[1::2]):
        block = text[start.end() : end.start() if end else len(text)]
        blocks.append((start[1].lower() in _PYTHON, block.rstrip().removesuffix("```")))
    if not blocks:
        return text
    python = [block for is_python, block in blocks if is_python]
    return python[-1] if python else blocks[-1][1]
