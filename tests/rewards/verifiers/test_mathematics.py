import threading

import numpy as np
import pytest

from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.verifiers.registry import build_verifier
from curriculum_verl.rewards.verifiers.settings import FinalSettings, WorkerSettings

SAME = [
    (r"\frac{1}{2}", "0.5"),
    ("1/2", r"\frac{1}{2}"),
    (r"\dfrac{3}{4}", "3/4"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    ("x^2+2x+1", "(x+1)^2"),
    ("(x-1)(x+1)", "x^2-1"),
    (r"\{1,2,3\}", r"\{3,2,1\}"),
    ("(1,2)", "(1,2)"),
    ("[0,1)", "[0,1)"),
    (r"2\pi", r"2\pi"),
    ("1,000", "1000"),
    (r"10^3", "1000"),
    (r"x=5", "5"),
    (r"\boxed{7}", "7"),
    ("$7$", "7"),
    (r"50\%", r"50\%"),
    (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}"),
    (r"-\frac{1}{3}", r"\frac{-1}{3}"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
    (r"\log(8)", r"3\log(2)"),
    (r"5\text{ cm}", "5"),
    (r"\text{Tuesday}", r"\text{Tuesday}"),
]
DIFFERENT = [
    ("0.5", r"\frac{1}{3}"),
    ("x+1", "x-1"),
    (r"\{1,2\}", r"\{1,2,3\}"),
    ("(1,2)", "(2,1)"),
    ("[0,1)", "[0,1]"),
    (r"\sqrt{2}", "1.4"),
    ("7", "-7"),
]


@pytest.mark.parametrize(("truth", "answer"), SAME)
def test_answers_in_other_notations_are_right(score, truth, answer):
    for text in (rf"So it is \boxed{{{answer}}}.", rf"<answer>${answer}$</answer>"):
        result = score("math", text, truth)
        assert (result.value, result.failure) == (1.0, None), text


@pytest.mark.parametrize(("truth", "answer"), DIFFERENT)
def test_answers_that_mean_something_else_are_wrong(score, truth, answer):
    result = score("math", rf"So it is \boxed{{{answer}}}.", truth)
    assert (result.value, result.failure) == (0.0, None)


@pytest.mark.parametrize(
    ("text", "truth", "value"),
    [
        ("The answer is $4$.", "4", 1),
        ("The answer is 4.", "4", 1),
        (r"\boxed{3}, no, \boxed{4}", "4", 1),
        (r"\boxed{4}, no, \boxed{3}", "4", 0),
        (r"<think>\boxed{4}</think> I do not know", "4", 0),
        ("", "4", 0),
        ("I do not know", "4", 0),
        (r"\boxed{4}", ["3", "4"], 1),
        (r"\boxed{4}", np.array(["3", "4"], dtype=object), 1),
        (r"\boxed{4}", 4, 1),
    ],
)
def test_where_the_answer_is_looked_for(score, text, truth, value):
    assert score("math", text, truth).value == value


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        (None, "the ground truth is missing"),
        ({"a": 1}, "ground truth: got dict"),
        ("$$", "which math-verify cannot read"),
    ],
)
def test_a_ground_truth_that_cannot_be_read_gives_no_score(score, truth, reason):
    result = score("math", r"\boxed{4}", truth)
    assert result.value is None
    assert reason in result.failure


def test_an_answer_that_nobody_can_compute_ends_in_time_and_the_next_one_is_scored():
    verifier = build_verifier(FinalSettings(workers=WorkerSettings(seconds=0.5)))
    result = verifier.score(Response(r"\boxed{9^{9^{9^{9}}}}", "1", style="math"))
    assert (result.value, result.failure, result.parts) == (0.0, None, {"gave_up": 1.0, "success": 0.0})
    assert verifier.score(Response(r"\boxed{1}", "1", style="math")).value == 1
    verifier.close()


def test_many_threads_at_once_get_their_own_scores(score):
    wrong = []

    def ask(number):
        for other in range(20):
            if score("math", rf"\boxed{{{other}}}", str(number)).value != float(other == number):
                wrong.append((number, other))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
