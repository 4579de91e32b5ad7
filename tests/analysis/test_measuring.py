import pytest
from analysis.made_up import SAID

from curriculum_verl.analysis.measuring import MALFORMED, STUCK, UNKNOWN, Judge, Judging, Seen
from curriculum_verl.rewards.coherence import Coherence
from curriculum_verl.rewards.scorer import ScoringSettings
from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.settings import Operations

LOOP = "The cup is on the left.\nZOOM_IN(x=1, y=2)\n" * 6
EXPLORES = "\n".join(
    [
        SAID[0],
        "ZOOM_IN(x=10, y=20)",
        SAID[1],
        "READ_TEXT(x=300, y=20)",
        "ZOOM_IN(x=700, y=90)",
        SAID[2],
        "<answer>7</answer>",
    ]
)


def see(text: str, *, passed: bool = True, prompt: str = "", judging: Judging | None = None) -> Seen:
    return Judge(judging or Judging()).see(text, prompt, passed)


def test_a_looping_trajectory_is_known_by_its_numbers() -> None:
    seen = see(LOOP, passed=False)
    assert (seen.steps, seen.trace.calls, seen.trace.attempts) == (6, 6, 6)
    assert seen.loops == pytest.approx(5 / 6)
    assert seen.path == ("ZOOM_IN",) * 6
    assert seen.stuck
    assert seen.loop_score == pytest.approx(min(1.0, STUCK * (5 / 6) / 0.5))
    assert seen.exploration < 0.02


def test_an_exploring_trajectory_is_known_by_its_numbers() -> None:
    seen = see(EXPLORES)
    assert (seen.characters, seen.steps, seen.trace.calls) == (len(EXPLORES), 3, 3)
    assert seen.path == ("ZOOM_IN", "READ_TEXT", "ZOOM_IN")
    assert (seen.loops, seen.loop_score, seen.stuck) == (0.0, 0.0, False)
    assert seen.exploration == pytest.approx(3 / 5), "three distinct calls of three, and half of endlessly many is two"
    assert see(EXPLORES, passed=False).exploration == pytest.approx(3 / 10)


def test_coherence_is_that_of_the_reward() -> None:
    for text in (LOOP, EXPLORES, "", "a"):
        assert see(text).coherence == Coherence().score(Response(text)).value


def test_few_items_are_no_loop_and_one_long_line_may_be_one() -> None:
    assert not see("No.\nNo.\nNo.").stuck
    assert see("No.\nNo.\nNo.\nNo.").stuck
    assert see("and so on " * 60).stuck, "no steps repeat, the text does"
    assert not see("\n".join(SAID)).stuck


def test_without_calls_steps_are_what_is_explored() -> None:
    assert see("\n".join(SAID)).exploration == pytest.approx(8 / 10)
    assert see("").exploration == 0.0


def test_calls_that_cannot_be_made_are_nodes_of_their_own() -> None:
    seen = see('<tool_call>{broken</tool_call>\n<tool_call>{"name": "FLY", "arguments": {}}</tool_call>\nREAD_TEXT()')
    assert seen.path == (MALFORMED, UNKNOWN, "READ_TEXT")
    assert seen.unknown == ("FLY",)
    assert (seen.trace.calls, seen.trace.malformed) == (1, 2)


def test_thoughts_are_no_tools_and_operations_may_be_ones_own() -> None:
    assert see('THINK(text="hm")\nREAD_TEXT()').path == ("READ_TEXT",)
    own = Judging(ScoringSettings(operations=Operations(weights={"LOOK": 1.0})))
    assert see("LOOK(x=1)\nREAD_TEXT()", judging=own).path == ("LOOK",)


def test_a_call_that_only_repeats_the_prompt_is_none() -> None:
    assert see("ZOOM_IN(x=1)", prompt="Say for example:\nZOOM_IN(x=1)").path == ()


def test_a_text_with_half_a_character_is_read() -> None:
    assert see("\ud800 " * 40).characters == 80
