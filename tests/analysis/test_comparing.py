import numpy as np
import pytest
from analysis.conftest import Analyzed
from analysis.made_up import lines
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.analysis.comparing import common
from curriculum_verl.analysis.figures import ALL
from curriculum_verl.analysis.measures import BY_NAME, DRAWN, difference, estimate
from curriculum_verl.analysis.rows import merged
from curriculum_verl.analysis.tables import in_words
from curriculum_verl.errors import InputError
from curriculum_verl.evaluation.statistics import Estimate


def row(number: int, scores: list[float], **more: object) -> dict[str, object]:
    texts = [f"Step one of {number}.\nStep two." for _ in scores]
    return {"id": f"p{number}", "prompt": "?", "response": texts, "reward": scores, **more}


COVERED = [(5, "share"), (12, "share"), (40, "share"), (12, "score"), (400, "number")]


def width(found: Estimate) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_a_change_is_that_of_the_prompts_that_both_have(analyzed: Analyzed) -> None:
    first = [row(n, [0.0, float(n % 2)]) for n in range(26)]
    second = [row(n, [1.0, float(n % 2)]) for n in range(6, 30)]
    found = analyzed(a=first, b=second)
    [success] = [one for one in found.changes if one.measure == "success"]
    assert (success.prompts, success.first, success.second) == (20, 0.25, 0.75)
    assert success.change.value == pytest.approx(0.5)
    assert (success.direction, success.verdict) == ("higher", "clear")
    [steps] = [one for one in found.changes if one.measure == "steps"]
    assert (steps.direction, steps.verdict, steps.change.value) == ("the same", "not clear", 0.0)
    [(who, said)] = in_words(found)
    assert who == "b against a, 20 shared prompts"
    assert said.startswith("clearly higher: success +50.0 points [")
    assert "not clear: characters, steps" in said.replace("score, ", "")


def test_a_prompt_counts_once_however_often_it_was_drawn(analyzed: Analyzed) -> None:
    often = [row(0, [1.0] * 4) for _ in range(9)] + [row(n, [0.0] * 4) for n in (1, 2, 3)]
    [figures] = analyzed(a=often).figures
    assert (figures.prompts, figures.responses) == (4, 48)
    assert figures.measures["success"].value == 0.25


def test_two_runs_without_a_common_prompt_say_so(analyzed: Analyzed) -> None:
    with pytest.raises(InputError, match="a and b have no prompt in common, expected the same ids"):
        analyzed(a=[row(n, [1.0]) for n in range(3)], b=[row(n, [1.0]) for n in range(3, 6)])


def test_one_pair_without_a_common_prompt_is_a_warning(analyzed: Analyzed) -> None:
    found = analyzed(
        a=[row(n, [1.0]) for n in (1, 2)], b=[row(n, [1.0]) for n in (2, 3)], c=[row(n, [1.0]) for n in (3, 4)]
    )
    assert [(one.before, one.after, one.prompts) for one in found.shared] == [
        ("a", "b", 1),
        ("a", "c", 0),
        ("b", "c", 1),
    ]
    assert "a and c (runs) have no prompt in common: they are not compared" in found.warnings


def test_stages_of_a_run_are_compared_on_their_common_prompts(analyzed: Analyzed) -> None:
    rows = [row(n, [float(n % 2)] * 2, stage=0) for n in range(10)]
    rows += [row(n, [1.0, 1.0], stage=1) for n in range(5, 15)]
    found = analyzed(a=rows)
    [success] = [one for one in found.changes if one.measure == "success"]
    assert (success.of, success.before, success.after) == ("stages of a", "stage 0", "stage 1")
    assert (success.prompts, success.first, success.second) == (5, 0.6, 1.0)
    stages = {one.stage: one.measures["success"].value for one in found.figures}
    assert stages == {ALL: pytest.approx(11 / 15), "stage 0": 0.5, "stage 1": 1.0}


def test_efficiency_is_compared_only_where_both_sides_call(analyzed: Analyzed) -> None:
    calling = "READ_TEXT(x=1)\nREAD_TEXT(x=900)"
    base = [{"id": str(n), "prompt": "?", "response": [calling if n < 3 else "no"], "reward": [1.0]} for n in range(9)]
    full = [{"id": str(n), "prompt": "?", "response": [calling], "reward": [1.0]} for n in range(9)]
    [one] = [one for one in analyzed(a=base, b=full).changes if one.measure == "efficiency"]
    assert (one.prompts, one.first, one.second) == (3, 1.0, 1.0)


def test_two_prompts_that_agree_are_not_clear(analyzed: Analyzed) -> None:
    first = [row(n, [0.0] * 4) for n in range(2)]
    second = [row(0, [1.0] * 4), row(1, [1.0, 1.0, 1.0, 0.0])]
    [success] = [one for one in analyzed(a=first, b=second).changes if one.measure == "success"]
    assert success.change.value == pytest.approx(0.875)
    assert success.verdict == "not clear"


@pytest.mark.parametrize(
    ("prompts", "unit"), [(5, "share"), (12, "share"), (40, "share"), (40, "number"), (400, "number")]
)
def test_intervals_of_changes_hold_the_truth_as_often_as_they_say(prompts: int, unit: str) -> None:
    """Responses are kin: each prompt has a rate of its own, which the second run raises by 0.15."""
    random = np.random.default_rng(prompts)
    rounds, held = 300, 0
    for _ in range(rounds):
        rates = random.uniform(0.1, 0.75, prompts)
        before = random.binomial(8, rates) / 8
        after = random.binomial(8, np.clip(rates + random.normal(0.15, 0.1, prompts), 0, 1)) / 8
        found, known = difference(before, after, unit, seed=0)  # type: ignore[arg-type]
        assert known == prompts
        held += found.low is not None and found.high is not None and found.low <= 0.15 <= found.high
    assert 0.91 <= held / rounds <= 0.99


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9))
def test_shares_never_differ_by_more_than_one(passed: list[tuple[int, int]]) -> None:
    before, after = np.array(passed, dtype=np.float64).T / 4
    found, _ = difference(before, after, "share", 0)
    assert found.low is not None
    assert found.high is not None
    assert -1 <= found.low <= found.value <= found.high <= 1


def test_only_shares_are_kept_within_one() -> None:
    before, after = np.zeros(2), np.array([1.0, 0.5])
    share, _ = difference(before, after, "share", 0)
    number, _ = difference(before, after, "number", 0)
    assert (share.low, share.high) == (-1, 1)
    assert (number.low, number.high) == (pytest.approx(-2.43, abs=0.01), pytest.approx(3.93, abs=0.01))


def test_responses_that_are_kin_are_not_taken_for_independent() -> None:
    """Eight copies of one response say no more than one: the interval is that of the prompts."""
    random = np.random.default_rng(3)
    change = random.choice([-1.0, 0.0, 1.0], 50)
    once, _ = difference(np.zeros(50), change, "share", 0)
    assert width(once) > 3.5 * change.std() / np.sqrt(50)


def test_few_and_many_prompts_have_intervals_of_the_same_width() -> None:
    values = np.random.default_rng(1).normal(5, 1, DRAWN.stop)
    drawn, normal = estimate(values[:-1], "number", 0), estimate(values, "number", 0)
    assert width(drawn) == pytest.approx(width(normal), rel=0.06)


def test_values_that_are_not_known_are_left_out() -> None:
    values = np.array([1.0, np.nan, 0.0, 1.0])
    assert estimate(values, "share", 0).value == pytest.approx(2 / 3)
    assert np.isnan(estimate(np.array([np.nan]), "share", 0).value)
    assert difference(values, np.array([np.nan] * 4), "share", 0)[1] == 0


def test_common_rows_stand_side_by_side(analyzed: Analyzed) -> None:
    found = analyzed(a=list(lines("base", 7)), b=list(lines("full", 9)))
    first, second = common(*(merged(run.rows) for run in found.runs))
    assert len(first) == 7
    assert (first["key"] == second["key"]).all()


def test_values_are_shown_in_their_units() -> None:
    success, score, steps = (BY_NAME[name] for name in ("success", "coherence", "steps"))
    assert success.shown(0.125) == "12.5 %"
    assert success.shown(-0.0001, sign=True) == "+0.0 points"
    assert score.shown(-0.0004) == "0.000"
    assert (steps.shown(1234.5), steps.shown(1.234), steps.shown(float("nan"))) == ("1,234.5", "1.23", "-")
