"""What is found to look at: known answers for a looping and an exploring trajectory."""

from typing import Any

import pytest
from analysis.conftest import Analyzed
from analysis.made_up import SAID

from curriculum_verl.analysis.items import Item, items_of, shortened
from curriculum_verl.rewards.settings import Operations
from curriculum_verl.rewards.trajectory import read_trajectory

LOOP = "The cup is on the left.\nZOOM_IN(x=1, y=2)\n" * 6
EXPLORES = f"{SAID[0]}\nZOOM_IN(x=10)\nREAD_TEXT(x=300)\nZOOM_IN(x=700)\nTRACK_OBJECT(x=5)\n<answer>7</answer>"
PLAIN = "It is seven."


def row(number: int, *responses: str, **more: Any) -> dict[str, Any]:
    scores = [float("<answer>" in text) for text in responses]
    return {"id": f"p{number}", "prompt": "?", "response": list(responses), "reward": scores, **more}


def test_the_greatest_contrast_between_two_runs_is_found(analyzed: Analyzed) -> None:
    base = [row(n, PLAIN, PLAIN) for n in range(5)]
    full = [row(n, PLAIN, PLAIN) for n in range(5)]
    base[3] = row(3, PLAIN, LOOP)
    full[3] = row(3, EXPLORES, PLAIN)
    full[4] = row(4, EXPLORES, PLAIN)  # explores, but base does not loop there
    found = analyzed(base=base, full=full)
    best = found.contrasts[0]
    assert (best.looping, best.exploring, best.stuck) == ("base", "full", True)
    assert found.texts[best.looping_at].response == LOOP
    assert found.texts[best.exploring_at].response == EXPLORES
    assert found.texts[best.looping_at].id == "p3"
    assert best.score == pytest.approx(best.loop_score * best.exploration)
    assert found.loops_in_words().startswith(
        "To prompt p3, base is stuck in a loop (loop score 0.83) where full explores"
    )
    assert [one.stuck for one in found.contrasts[1:]] == [False] * (len(found.contrasts) - 1)


def test_either_run_may_be_the_one_that_loops(analyzed: Analyzed) -> None:
    best = analyzed(base=[row(1, EXPLORES)], full=[row(1, LOOP)]).contrasts[0]
    assert (best.looping, best.exploring) == ("full", "base")


def test_without_a_loop_the_words_say_so(analyzed: Analyzed) -> None:
    found = analyzed(base=[row(1, PLAIN)], full=[row(1, EXPLORES)])
    assert not any(one.stuck for one in found.contrasts)
    assert (
        found.loops_in_words()
        == "No response is stuck in a loop: the highest loop score is 0.00, in full; a loop has 0.5."
    )


def test_a_loop_that_nobody_explores_beside_is_said_too(analyzed: Analyzed) -> None:
    found = analyzed(base=[row(1, LOOP), row(2, PLAIN)], full=[row(2, EXPLORES)])
    assert found.loops_in_words().startswith(
        "There are loops (the highest loop score is 0.83, in base), but to no such"
    )


def test_of_one_run_stages_are_put_beside_each_other_or_responses_of_the_run(analyzed: Analyzed) -> None:
    stages = analyzed(a=[row(1, LOOP, stage=0), row(1, EXPLORES, stage=1)]).contrasts[0]
    assert (stages.looping, stages.exploring) == ("stage 0", "stage 1")
    found = analyzed(a=[row(1, LOOP, PLAIN, EXPLORES)])
    assert (found.contrasts[0].looping, found.contrasts[0].exploring) == ("a", "a")
    assert "where another response of a explores" in found.loops_in_words()


def test_prompts_beside_each_other_are_those_that_changed_most_and_one_by_chance(analyzed: Analyzed) -> None:
    base = [row(n, PLAIN, PLAIN) for n in range(20)]
    full = [row(n, PLAIN, PLAIN) for n in range(20)]
    full[7], base[9] = row(7, EXPLORES, EXPLORES), row(9, EXPLORES, PLAIN)
    found = analyzed(base=base, full=full)
    why = {found.texts[one.places["base"]].id: one.why for one in found.side_by_side}
    assert why["p7"] == "success rose most from base to full"
    assert why["p9"] == "success fell most from base to full"
    assert "drawn at random" in why.values()
    for one in found.side_by_side:
        assert len({found.texts[place].id for place in one.places.values()}) == 1
    again = analyzed(base=base, full=full)
    assert again.side_by_side == found.side_by_side


def test_items_come_in_order_and_know_what_was_there_before() -> None:
    trajectory = read_trajectory(f"{LOOP}<answer>7</answer>", Operations())
    items = items_of(trajectory)
    assert items[:4] == [
        Item("step", "The cup is on the left."),
        Item("call", 'ZOOM_IN {"x":1,"y":2}'),
        Item("step", "The cup is on the left.", 1),
        Item("call", 'ZOOM_IN {"x":1,"y":2}', 2),
    ]
    assert items[-1] == Item("answer", "7")
    assert items_of(read_trajectory("<tool_call>{</tool_call>", Operations())) == [Item("malformed", "a call (syntax)")]


def test_a_long_list_loses_its_middle_and_not_its_end() -> None:
    items = [Item("step", str(number)) for number in range(1, 101)]
    shown = shortened(items, 10)
    assert len(shown) == 10
    assert [number for number, item in shown if item is None] == [7]
    assert shown[0] == (1, items[0])
    assert shown[-1] == (100, items[-1])
    assert shortened(items[:10], 10) == [(number, item) for number, item in enumerate(items[:10], 1)]


def test_who_only_repeats_a_little_is_not_stuck(analyzed: Analyzed) -> None:
    stutters = "\n".join([SAID[0], SAID[1], SAID[2], SAID[2]])
    found = analyzed(base=[row(1, stutters)], full=[row(1, EXPLORES)])
    assert [one.stuck for one in found.contrasts] == [False]
    assert 0 < found.contrasts[0].loop_score < 0.5
    assert found.loops_in_words().startswith("No response is stuck in a loop: the highest loop score is 0.25, in base")
