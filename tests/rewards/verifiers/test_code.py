import json
import secrets

import pytest

from curriculum_verl.rewards.sandbox.limits import Limits, SandboxSettings
from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.verifiers.code import find_code
from curriculum_verl.rewards.verifiers.registry import build_verifier
from curriculum_verl.rewards.verifiers.settings import FinalSettings

LIMITS = Limits(cpu_seconds=1, wall_seconds=5, memory_mb=128)
RIGHT = "def f(n):\n    return n * n"
CALLS = {"fn_name": "f", "inputs": [[2], [3], [4]], "outputs": [4, 9, 16]}
LINES = {"inputs": ["2\n", "3\n", "4\n"], "outputs": ["4\n", "9", "16"]}
ASSERTS = ["assert f(2) == 4", "assert f(3) == 9", "assert f(4) == 16"]


@pytest.fixture(scope="module")
def code_score():
    settings = FinalSettings(partial_credit=True, sandbox=SandboxSettings(accept_weaker=True, limits=LIMITS))
    verifier = build_verifier(settings)
    yield lambda code, truth: verifier.score(Response(f"So:\n```python\n{code}\n```", truth, style="code"))
    verifier.close()


def program(function: str) -> str:
    return f"{function}\nprint(f(int(input())))"


@pytest.mark.parametrize(
    "truth", [CALLS, LINES, ASSERTS, json.dumps(CALLS), {"assert_case": ASSERTS}, json.dumps(ASSERTS)]
)
def test_a_right_solution_passes_in_every_form_of_the_tests(code_score, truth):
    score = code_score(program(RIGHT) if truth is LINES else RIGHT, truth)
    assert (score.value, score.failure) == (1.0, None)
    assert [score.parts[f"test_{number}"] for number in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("truth", [CALLS, ASSERTS])
@pytest.mark.parametrize(
    ("code", "passed"),
    [
        ("def f(n):\n    return 4", [1, 0, 0]),
        ("def f(n):\n    return n * n if n < 4 else 1 / 0", [1, 1, 0]),
        ("def f(n):\n    while n == 3: pass\n    return n * n", [1, 0, 1]),
        ("def f(n):\n    return None", [0, 0, 0]),
        ("def g(n):\n    return n * n", [0, 0, 0]),
        ("def f(n):", [0, 0, 0]),
        ("class Solution:\n    def f(self, n):\n        return n * n", [1, 1, 1]),
    ],
)
def test_each_test_passes_or_fails_by_itself(code_score, truth, code, passed):
    if "Solution" in code and truth is ASSERTS:
        code += "\nf = Solution().f"
    score = code_score(code, truth)
    assert [score.parts[f"test_{number}"] for number in range(3)] == passed
    assert score.value == score.parts["tests_passed"] == pytest.approx(sum(passed) / 3)


CHEATS = {
    "a value that is equal to everything": "class A:\n    def __eq__(self, other): return True\ndef f(n): return A()",
    "an early end that looks like success": "import os\ndef f(n): os._exit(0)",
    "an end at once": "import os\nos._exit(0)",
    "no assertion can fail": "import builtins\nbuiltins.AssertionError = SystemExit\ndef f(n): raise SystemExit(0)",
    "a value written by hand": "import os\nos.write(3, b'true')\nos._exit(0)",
    "no value but something else": "import os\nos.write(3, b'[' * 100000)\nos._exit(0)",
    "a replaced writer": "import json\njson.dumps = lambda value: 'true'\ndef f(n): return object()",
    "a number that is not the same": "def f(n): return float('nan')",
    "true for one": "def f(n): return True",
}


@pytest.mark.parametrize("truth", [CALLS, ASSERTS])
@pytest.mark.parametrize("cheat", CHEATS)
def test_a_solution_that_cheats_passes_nothing(code_score, truth, cheat):
    score = code_score(CHEATS[cheat], truth)
    assert (score.value, score.failure) == (0.0, None)


CLOSE = [
    "assert f(2) in (4, 5)",
    "assert set(f(3)) == set([1, 2])",
    "assert set(f(3)) == set((1, 2))",
    "assert f(4) == sorted([3, 1])",
    "assert abs(f(5) - 3.5) < 1e-6",
    "import math\nassert math.isclose(f(5), 3.5)",
    "assert len(f(3)) == 2",
    "assert all(x == 1 for x in f(6))",
    "assert isinstance(f(3), list) and f(3)[0] == 1",
    "assert not f(2) in (1, 2)",
]
KNOWS = "def f(n): return {2: 4, 3: [1, 2], 4: [1, 3], 5: 3.5, 6: [1, 1]}[n]"
ALWAYS = """
class A:
    __eq__ = __ne__ = __lt__ = __contains__ = __bool__ = lambda self, *other: True
    __hash__ = lambda self: 0
    __sub__ = __rsub__ = __abs__ = lambda self, *other: 0
    __float__ = lambda self: 0.0
    __len__ = lambda self: 0
    __iter__ = lambda self: iter([self])
    __getitem__ = lambda self, place: self
def f(n): return A()
"""
NAMES = "bool = set = sorted = abs = all = len = list = isinstance = lambda *values, **more: {}\ndef f(n): return {}"


@pytest.mark.parametrize(
    "code",
    [
        NAMES.replace("{}", "True"),
        NAMES.replace("{}", "0"),
        f"import builtins, math\n{NAMES.replace('{}', '0').partition('def')[0]}\n"
        "for name in ('bool', 'set', 'sorted', 'abs', 'all', 'len', 'isinstance'): setattr(builtins, name, len)\n"
        "math.isclose = lambda *values, **more: True\ndef f(n): return 0",
    ],
)
def test_builtins_put_in_place_of_python_s_pass_nothing(code_score, code):
    score = code_score(code, CLOSE[:-1])
    assert (score.value, score.failure) == (0.0, None), score.parts
    assert code_score(KNOWS, CLOSE).value == 1


def test_a_value_that_is_equal_to_everything_passes_only_where_its_word_is_asked_for(code_score):
    score = code_score(ALWAYS, CLOSE)
    passed = [test for number, test in enumerate(CLOSE) if score.parts[f"test_{number}"]]
    assert passed == ["assert all(x == 1 for x in f(6))"], "docs/verifiers.md says so"


def test_a_value_is_what_it_was_when_it_was_asserted(code_score):
    source = "x = [3, 1]\nassert x == [3, 1]\nassert f(x) == [1, 3]\nassert x == [1, 3]\nx.clear()"
    assert code_score("def f(x):\n    x.sort()\n    return x", [source]).value == 1
    assert code_score("def f(x):\n    return sorted(x)", [source]).value == 0


SEARCH = """
import gc, re, sys
def f(n):
    frame, seen = sys._getframe(), []
    while frame:
        seen.append(repr(frame.f_locals))
        frame = frame.f_back
    seen += [repr(thing) for thing in gc.get_objects() if type(thing) in (dict, list, tuple)]
    return (re.findall("[0-9a-f]{32}", " ".join(seen)) or ["nothing"])[0]
"""


def test_the_values_that_are_wanted_are_not_where_the_program_runs(code_score):
    wanted = secrets.token_hex(16)
    assert code_score(SEARCH, {"fn_name": "f", "inputs": [[wanted]], "outputs": [wanted]}).value == 1, "it can search"
    assert code_score(SEARCH, {"fn_name": "f", "inputs": [[1]], "outputs": [wanted]}).value == 0
    assert code_score(SEARCH, [f"assert f(1) == {wanted!r}"]).value == 0


HOSTILE = {
    "a fork bomb": "import os\nwhile True: os.fork()",
    "a memory bomb": "x = 'x' * 10**10",
    "endless output": "while True: print('x' * 10**4)",
    "an endless loop": "while True: pass",
    "a killer": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(-1, signal.SIGKILL)",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_solution_scores_nothing_and_the_next_one_is_scored(code_score, name):
    assert code_score(HOSTILE[name], {"inputs": [""], "outputs": ["4"]}).value == 0
    assert code_score(RIGHT, CALLS).value == 1


def test_without_partial_credit_all_tests_have_to_pass():
    verifier = build_verifier(FinalSettings(sandbox=SandboxSettings(accept_weaker=True, limits=LIMITS)))
    score = verifier.score(Response("def f(n): return n + 2", CALLS, style="code"))
    assert (score.value, score.parts["tests_passed"], score.parts["success"]) == (0, pytest.approx(1 / 3), 0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\na\n```", "a"),
        ("```py\na\n```\nand\n```python\nb\n```", "b"),
        ("```python\na\n```\n```\noutput\n```", "a"),
        ("```\na\n```", "a"),
        ("```cpp\na\n```", "a"),
        ("a = 1", "a = 1"),
        ("```python\ncut off", "cut off"),
        ("```python\na```", "a"),
        ("", ""),
    ],
)
def test_where_the_program_is_found(text, code):
    assert find_code(text).strip() == code


def test_a_response_without_a_program_scores_nothing(code_score):
    assert code_score("", CALLS).value == 0
    assert code_score("x = 1\n" * 100_000, CALLS).value == 0


@pytest.mark.parametrize("truth", ["18", ["x = 1"], [""], ["print(2)"], [*ASSERTS, "f(2)"]])
def test_a_test_that_every_program_passes_is_an_error_of_the_data(code_score, truth):
    score = code_score(RIGHT, truth)
    assert score.value is None
    assert "asserts nothing" in score.failure
