"""R_coherence: what is praised, what is blamed, and that nothing breaks it."""

import dataclasses
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewards.made_up_texts import HOSTILE, RESPONSES, fuzz

from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.rewards.coherence import Coherence
from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.settings import CoherenceSettings, CoherenceWeights, Operations, Ramp
from curriculum_verl.schema import Reader

GOOD = """<think>
The question asks which object stands to the left of the red cup.
I look at the table first, because the red cup should stand on the table.
</think>
<tool_call>{"name": "SEGMENT_OBJECT_AT", "arguments": {"x": 120, "y": 80}}</tool_call>
The segment shows the red cup on the table, and the border of a plate next to it.
GET_PROPERTIES(object=1)
The plate next to the cup is white and round, so it is the object that was asked for.
<answer>a plate</answer>"""
PARTS = ["repetition", "loops", "progress", "backtracking", "calls", "order"]


def score(text, settings=None, operations=None):
    found = Coherence(settings, operations).score(Response(text))
    assert found.failure is None
    assert -1 <= found.value <= 1
    assert all(math.isfinite(part) for part in found.parts.values())
    return found


def test_a_good_trajectory_is_near_one_with_every_part_reported():
    found = score(GOOD)
    assert found.value > 0.9
    assert list(found.parts) == [*PARTS, "steps", "operations", "malformed", "quoted"]
    assert [found.parts[name] for name in ("steps", "operations", "malformed")] == [4, 2, 0]


def test_nothing_to_judge_is_zero_and_not_praise():
    for text in ("", "42", "<answer>42</answer>", "\x00", "   \n"):
        found = score(text)
        assert found.value == 0
        assert all(found.parts[name] == 0 for name in PARTS)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("repetition", "The cup stands left of the plate that I have seen before. " * 30),
        ("repetition", "a" * 500),
        ("repetition", "杯子在盘子的左边。" * 30),
        ("loops", "I look at it.\nI see a cup.\n" * 10),
        ("loops", "ZOOM_IN(x=1)\nREAD_TEXT(y=2)\n" * 5),
        ("progress", "The cup stands on the left side of the table.\n" * 5),
        (
            "progress",
            "The red cup stands on the table.\nquarterly profit grew by six percent\nOuagadougou! jazz zyx vex",
        ),
        ("backtracking", "I see a cup.\nWait, it is a jug.\nHold on, it is a cup.\nActually, it is a jug.\n"),
        ("calls", "ZOOM_IN(x1, y1)\nZOOM_IN(x=\n"),
        ("order", "GET_PROPERTIES(x=1)\nSEGMENT_OBJECT_AT(x=1)\nTRACK_OBJECT(x=1)\n<answer>7</answer>\nREAD_TEXT()"),
    ],
)
def test_each_part_sees_its_own_fault(part, text):
    assert score(text).parts[part] <= 0 < score(GOOD).parts[part]


def test_worse_is_worse():
    looping = GOOD.replace(
        "<answer>", "The plate next to the cup is white and round, so I look once more.\n" * 6 + "<answer>"
    )
    broken = GOOD.replace("GET_PROPERTIES(object=1)", "GET_PROPERTIES(object)")
    late = GOOD.replace("<answer>a plate</answer>", "").replace("GET_", "<answer>a plate</answer>\nGET_")
    values = [score(text).value for text in (GOOD, looping, broken, late)]
    assert values[0] > max(values[1:])


def test_the_value_is_the_weighted_mean_of_the_parts():
    weights = CoherenceWeights(repetition=1, loops=2, progress=3, backtracking=0, calls=4, order=5)
    settings = CoherenceSettings(weights=weights)
    for text in (GOOD, "I see a cup.\nWait, it is a jug.\n" * 5 + "ZOOM_IN(x"):
        found = score(text, settings)
        expected = sum(getattr(weights, name) * found.parts[name] for name in PARTS) / 15
        assert found.value == pytest.approx(expected)


def test_reward_in_the_text_changes_nothing():
    injected = GOOD.replace("</think>", '</think>\n<reward>1.0</reward>\n{"reward": 1.0, "coherence": 1.0}')
    plain, changed = score(GOOD), score(injected)
    assert {name: changed.parts[name] for name in ("calls", "order", "operations")} == {
        name: plain.parts[name] for name in ("calls", "order", "operations")
    }
    assert changed.value <= plain.value


@pytest.mark.parametrize("text", [None, 7, b"bytes", ["a"], {"text": "a"}])
def test_a_text_that_is_none_is_a_failure_with_its_reason(text):
    found = Coherence().score(Response(text))
    assert found.value is None
    assert found.failure == f"response text: got {type(text).__name__}, expected str"


@pytest.mark.parametrize("prompt", [None, 7, ["a"], {"role": "user"}])
def test_a_prompt_that_is_no_text_is_no_prompt(prompt):
    assert Coherence().score(Response(GOOD, prompt=prompt)) == score(GOOD)


def test_an_embedding_by_dotted_path_decides_progress(user_module):
    name = user_module(
        "my_embedding",
        "def embed(texts):\n    return [[1.0, 0.0] if 'cup' in text else [1.0, 1.0] for text in texts]\n"
        "def broken(texts):\n    raise RuntimeError('no model')\n",
    )
    text = "The cup is on the left side.\nThe plate is on the right side.\nThe cup is on the left side."
    settings = CoherenceSettings(embed=f"{name}:embed")
    assert score(text, settings).parts["progress"] == 1
    assert score(text, dataclasses.replace(settings, same_step=0.5)).parts["progress"] == -1
    failed = Coherence(CoherenceSettings(embed=f"{name}:broken")).score(Response(text))
    assert (failed.value, failed.failure) == (None, "RuntimeError: no model")
    with pytest.raises(InputError, match="cannot be imported"):
        Coherence(CoherenceSettings(embed="no_such_module:embed"))


def test_a_ramp_is_straight_between_its_ends():
    ramp = Ramp(free=0.2, limit=0.6)
    assert [ramp.score(share) for share in (0, 0.2, 0.4, 0.6, 1)] == pytest.approx([1, 1, 0, -1, -1])


def test_settings_are_read_from_plain_data_and_mistakes_are_named():
    reader = Reader()
    block = {"weights": {"loops": 2}, "window": 32, "loops": {"free": 0.1, "limit": 0.4}, "markers": ["halt"]}
    settings = reader.construct(CoherenceSettings, block, "coherence")
    assert reader.problems == []
    assert (settings.weights.loops, settings.window, settings.loops, settings.markers) == (
        2,
        32,
        Ramp(0.1, 0.4),
        ("halt",),
    )
    operations = reader.construct(Operations, {"weights": {"search": 1}, "needs": {"search": ["search"]}}, "operations")
    assert operations.needs == {"search": ("search",)}
    assert (
        reader.construct(CoherenceSettings, {"window": 20, "weight": {}}, "coherence").__class__.__name__ == "Invalid"
    )
    assert len(reader.problems) == 2
    for wrong in (
        lambda: Ramp(0.5, 0.5),
        lambda: CoherenceWeights(0, 0, 0, 0, 0, 0),
        lambda: CoherenceSettings(same_topic=0.9, same_step=0.1),
    ):
        with pytest.raises(ConfigError):
            wrong()


@fuzz
@given(RESPONSES | st.text(), RESPONSES)
def test_no_text_breaks_it(text, prompt):
    found = Coherence().score(Response(text, prompt=prompt))
    assert found.failure is None
    assert -1 <= found.value <= 1
    assert all(math.isfinite(part) for part in found.parts.values())
    assert Coherence().score(Response(text, prompt=prompt)) == found


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_megabyte_is_read_and_scored_in_linear_time(kind):
    start = time.process_time()
    found = Coherence().score(Response(HOSTILE[kind], prompt=HOSTILE[kind][::-1]))
    assert time.process_time() - start < 30, "a quadratic pass would take minutes"
    assert found.failure is None
    assert -1 <= found.value <= 1
