import numpy as np
import pytest

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.verifiers.answers import accepted_answers, after_thinking, marked_answer


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("an answer", "an answer"),
        ("<think>so</think> an answer ", "an answer"),
        ("<think>a</think>b<think>c</think>d", "d"),
        ("  <think>never ends", ""),
        ("no opening tag</think>answer", "answer"),
        ("", ""),
    ],
)
def test_thinking_is_left_out(text, rest):
    assert after_thinking(text) == rest


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so <answer> 4 </answer>.", "4"),
        ("<answer>3</answer> no, <answer>4</answer>", "4"),
        ("<answer>4", "4"),
        (r"\boxed{\frac{1}{2}} holds", r"\frac{1}{2}"),
        (r"\boxed{4", "4"),
        (r"<answer>\boxed{4}</answer>", "4"),
        ("reasons\n#### 4\nmore", "4"),
        ("#### 3 and <answer>4</answer>", "4"),
        ("nothing is marked", None),
        ("", None),
    ],
)
def test_the_last_marked_answer_is_found(text, answer):
    assert marked_answer(text) == answer


def test_a_list_accepts_each_of_its_answers():
    assert accepted_answers(np.array(["a", "b"], dtype=object)) == ["a", "b"]
    assert accepted_answers(0) == [0]
    assert accepted_answers(["a", None, ""]) == ["a"]


@pytest.mark.parametrize("truth", [None, "", [], [None], np.array([])])
def test_no_answer_is_said_to_be_missing(truth):
    with pytest.raises(InputError, match="the ground truth is missing"):
        accepted_answers(truth)
