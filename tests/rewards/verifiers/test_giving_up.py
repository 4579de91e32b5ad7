import pytest

from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.verifiers.giving_up import GivesUp


class Fragile:
    """Breaks on the text `break`, and on every response where the truth is broken."""

    def score(self, response):
        if response.text == "break" or response.ground_truth == "broken":
            raise MemoryError("too much")
        return Score(float(response.text == response.ground_truth), {"found": 1.0})


@pytest.mark.parametrize(
    ("text", "truth", "score"),
    [
        ("7", "7", Score(1.0, {"found": 1.0})),
        ("8", "7", Score(0.0, {"found": 1.0})),
        ("break", "7", Score(0.0, {"gave_up": 1.0})),
        ("7", "broken", Score(None, {}, "MemoryError: too much")),
        ("break", "broken", Score(None, {}, "MemoryError: too much")),
    ],
)
def test_a_response_that_overwhelms_scores_nothing_and_a_broken_task_has_no_score(text, truth, score):
    assert GivesUp(Fragile()).score(Response(text, truth)) == score


def test_why_is_in_the_log(caplog):
    GivesUp(Fragile()).score(Response("break", "7", data_source="toys"))
    assert "a response to a task of 'toys' scores 0: MemoryError: too much" in caplog.text
