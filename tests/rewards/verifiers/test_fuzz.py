"""Every verifier on made-up responses and ground truths: a finite score, or none with a reason; never an exception.

FUZZ_EXAMPLES=10000 pytest tests/rewards/verifiers/test_fuzz.py is the long run.
"""

import contextlib
import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewards.made_up_texts import HOSTILE, RESPONSES, fuzz
from rewards.verifiers.made_up_instructions import IFBENCH, IFEVAL

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.sandbox.limits import Limits, SandboxSettings
from curriculum_verl.rewards.sandbox.running import Run
from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.verifiers.code import find_code
from curriculum_verl.rewards.verifiers.numeric import last_number, read_quantity
from curriculum_verl.rewards.verifiers.registry import build_verifier
from curriculum_verl.rewards.verifiers.settings import FinalSettings, WorkerSettings
from curriculum_verl.rewards.verifiers.unit_tests import read_tests
from curriculum_verl.rewards.verifiers.values import Unreadable, read_value

# RESPONSES hold what the parsers of trajectories look for; these are what verifiers look for.
PIECES = st.sampled_from([
    r"\boxed{", r"\frac{1}{2}", r"\sqrt", "$", "$$", "}", "{", "####", "<answer>", "</answer>", "</think>", "1,234",
    "50%", "-", "1/0", "2 1/2", "x^2", "=", "9^2", "1e308", "0x10", "١٢", "½", "\n", " ", ".", "? ", "! ", "* ", "- ",
    '"', "'", "<<", ">>", "[a]", "P.S.", "Section 1", "******", "```python\n", "```\n", "def f(n):\n    return n\n",
    "print(1)\n", "assert f(1) == ", "\x00", "\ud800", "😀", "word", "WORD", "\u2028", ",", ";", "(", ")", "猫",
])  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES | st.text(max_size=5), max_size=20).map("".join), RESPONSES)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
INSTRUCTIONS = st.lists(st.sampled_from(sorted(IFEVAL | IFBENCH)), min_size=1, max_size=4).map(
    lambda names: {"instruction_id_list": names, "kwargs": [(IFEVAL | IFBENCH)[name][0] for name in names]}
)
REASONING = st.builds(
    lambda task, answer, metadata: {"answer": answer, "metadata": metadata | {"source_dataset": task}},
    st.sampled_from(["chain_sum", "prime_factorization", "word_sorting", "boxnet", "nothing"]),
    JSON,
    st.dictionaries(st.text(max_size=5), JSON, max_size=3),
)
TESTS = st.builds(
    lambda inputs, outputs, name: {"inputs": inputs, "outputs": outputs, "fn_name": name},
    st.lists(JSON, max_size=3),
    st.lists(JSON, max_size=3),
    st.sampled_from([None, "f"]),
) | st.lists(TEXTS, max_size=3)
TRUTHS = {
    "exact": JSON,
    "numeric": JSON,
    "math": TEXTS | JSON,
    "instructions": INSTRUCTIONS | JSON,
    "reasoning_gym": REASONING | JSON,
    "verl": JSON,
}


@pytest.fixture(scope="module")
def quick():
    limits = Limits(cpu_seconds=1, wall_seconds=1, memory_mb=128, total_seconds=2)
    sandbox = SandboxSettings(accept_weaker=True, limits=limits)
    verifier = build_verifier(FinalSettings(partial_credit=True, sandbox=sandbox, workers=WorkerSettings(seconds=1)))
    yield verifier
    verifier.close()


def is_sound(score) -> bool:
    if score.value is None:
        return bool(score.failure)
    return score.failure is None and math.isfinite(score.value) and all(map(math.isfinite, score.parts.values()))


@pytest.mark.parametrize("style", TRUTHS)
def test_every_verifier_gives_a_sound_score(quick, final, style):
    verifier = final if style == "verl" else quick  # which takes its time to import verl

    @fuzz
    @given(TEXTS, TRUTHS[style], st.booleans())
    def check(text, truth, packed):
        if packed:
            truth = json.dumps(truth)
        source = "openai/gsm8k" if style == "verl" else ""
        assert is_sound(verifier.score(Response(text, truth, source, style)))

    check()


@fuzz
@given(TEXTS, TESTS | JSON, st.booleans(), TEXTS)
def test_tests_programs_and_values_are_read_or_refused(text, truth, packed, value):
    assert isinstance(find_code(text), str)
    try:
        tests = read_tests(json.dumps(truth) if packed else truth)
    except InputError:
        tests = []
    for test in tests:
        for run in (Run("finished", text, value), Run("finished", text, json.dumps(text)), Run("failed")):
            assert test.passed(run) in (True, False)
    with contextlib.suppress(Unreadable):
        read_value(value)


@fuzz
@given(TEXTS)
def test_numbers_are_read_or_not(text):
    for quantity in (read_quantity(text), last_number(text)):
        assert quantity is None or math.isfinite(quantity.value)


@pytest.mark.parametrize("code", ["{text}", "print('''{text}''')", "def f(n):\n    return '''{text}'''"])
def test_programs_made_of_anything_have_a_sound_score(quick, code):
    for name in list(HOSTILE)[::12]:
        text = code.replace("{text}", HOSTILE[name][:50_000])
        score = quick.score(Response(text, {"fn_name": "f", "inputs": [[1]], "outputs": [1]}, style="code"))
        assert is_sound(score), name
        assert score.value == 0, name


@pytest.mark.parametrize("style", ["exact", "numeric"])
def test_a_megabyte_of_anything_is_scored_in_the_caller_s_thread_without_delay(quick, style):
    for name, text in HOSTILE.items():
        before = time.thread_time()
        assert quick.score(Response(text, "4", style=style)).value is not None, name
        assert time.thread_time() - before < 2, name


@pytest.mark.parametrize(
    ("style", "truth"), [("math", "4"), ("instructions", {"instruction_id_list": ["punctuation:no_comma"]})]
)
def test_a_megabyte_of_anything_has_a_sound_score(quick, style, truth):
    for name in list(HOSTILE)[::6]:
        assert is_sound(quick.score(Response(HOSTILE[name], truth, style=style))), name
