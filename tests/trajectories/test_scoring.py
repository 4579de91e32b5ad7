"""The composite: by weight, with factors of a user's own, traps as the settings say; and the line that is written."""

import json

import pytest
from trajectories.made_up_trajectories import cota, sample

from curriculum_verl.rollouts.scores import LineError
from curriculum_verl.trajectories.factors import FACTORS
from curriculum_verl.trajectories.scoring import Scorer, TrajectoryLook
from curriculum_verl.trajectories.settings import WEIGHTS, Scoring, Traps, trajectory_settings

TEXT = "I look.\nTRACK_OBJECT(x=1)\nWait, no.\nREAD_TEXT(y=2)\nDone."


def share_of_a(found, scoring):
    return found.text.count("a") / len(found.text)


def of_the_row(found, scoring):
    return found.row()["hard"]


def broken(found, scoring):
    raise KeyError("\ud800")


def test_the_score_is_the_mean_of_the_factors_by_weight():
    scored = Scorer(Scoring())(sample(TEXT))
    by_hand = sum(WEIGHTS[name] * FACTORS[name](sample(TEXT), Scoring()) for name in WEIGHTS)
    assert scored.score == pytest.approx(by_hand, abs=2e-6)
    assert [*scored.factors] == [*WEIGHTS]


def test_weights_need_not_sum_to_one_and_a_factor_without_weight_is_left_out():
    scorer = Scorer(Scoring(weights={name: 7.0 * (name == "task_type") for name in WEIGHTS}))
    assert scorer(sample(TEXT)).factors == {"task_type": 0.5}
    assert scorer(sample(TEXT)).score == 0.5


def test_a_factor_of_ones_own_is_added_or_takes_the_place_of_another():
    here = "trajectories.test_scoring:"
    added = Scorer(Scoring(weights={"a": 1.0}, scorers={"a": here + "share_of_a"}))(sample("aab"))
    assert added.factors["a"] == pytest.approx(2 / 3, abs=1e-6)
    assert [*added.factors] == [*WEIGHTS, "a"]
    replaced = Scorer(Scoring(scorers={"task_type": here + "of_the_row"}))(sample("a", line=b'{"hard": 0.25}'))
    assert replaced.factors["task_type"] == 0.25
    assert len(replaced.factors) == len(WEIGHTS)


@pytest.mark.parametrize(
    ("line", "scorer", "said"),
    [
        (b'{"hard": 1.5}', "of_the_row", "task_type: gave 1.5, expected a number from 0 to 1"),
        (b'{"hard": "x"}', "of_the_row", "task_type: raised ValueError"),
        (b"{}", "broken", "task_type: raised KeyError('\\ud800')"),
    ],
)
def test_a_factor_that_fails_costs_the_line(line, scorer, said):
    score = Scorer(Scoring(scorers={"task_type": f"trajectories.test_scoring:{scorer}"}))
    with pytest.raises(LineError) as error:
        score(sample("a", line=line))
    assert error.value.reason == "scorer"
    assert said in str(error.value)


def test_traps_are_raised_above_the_floor_and_keep_their_order():
    raised = Scorer(Scoring(traps=Traps(floor=0.8)))
    plain = [raised(sample(text)).score for text in ("Yes.", TEXT)]
    traps = [raised(sample(text, trap=True)).score for text in ("Yes.", TEXT)]
    assert traps == pytest.approx([0.8 + 0.2 * score for score in plain], abs=1e-6)
    assert 0.8 < traps[0] < traps[1] < 1.0
    kept = Scorer(Scoring(traps=Traps("keep")))
    assert kept(sample(TEXT, trap=True)) == kept(sample(TEXT))


def test_a_line_keeps_its_fields_and_ends_with_a_place_for_the_label():
    look = TrajectoryLook(trajectory_settings(Scoring()))
    line = b'{ "trajectory": "Yes." , "big": 123456789012345678901234567890, "f": 1.0e2, "difficulty": "old"}'
    seen = look(line)
    assert seen.content.startswith(b'{"trajectory":"Yes.","big":123456789012345678901234567890,"f":1.0e2,"difficulty_')
    assert seen.content.endswith(b'"difficulty_trap":false,"difficulty":null}')
    assert json.loads(seen.content)["difficulty_score"] == seen.numbers[3]
    assert look(seen.content).content == seen.content, "scored again, it is the same"


def test_a_trap_may_be_rejected():
    look = TrajectoryLook(trajectory_settings(Scoring(traps=Traps("reject"))))
    with pytest.raises(LineError) as error:
        look(json.dumps(cota(1, 2, trap=True)).encode())
    assert error.value.reason == "trap"
