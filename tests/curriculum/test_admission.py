import numpy as np
import pytest

from curriculum_verl.curriculum.admission import Admission

PROMPTS = np.arange(4)


def make(**changes):
    return Admission(4, 0, **{"retry_after": 10.0, "min_chance": 0.05} | changes)


def observe(admission, prompts, informative, times=1):
    for _ in range(times):
        admission.observe(np.array(prompts, dtype=np.int64), np.array(informative, dtype=bool))


def test_what_was_never_seen_is_always_admitted():
    admission = make()
    assert admission.chance(PROMPTS).tolist() == [1.0] * 4
    assert all(admission.admits(PROMPTS).all() for _ in range(50))


def test_the_chance_by_hand():
    """max(min_chance, min(1, age / (retry_after * 2^(streak - 1))))."""
    admission = make()
    observe(admission, [0], [False])
    observe(admission, [0, 1], [False, False])
    for age in range(60):
        expected = [max(0.05, min(1, age / 20)), max(0.05, min(1, age / 10)), 1.0, 1.0]
        assert admission.chance(PROMPTS) == pytest.approx(expected)
        observe(admission, [], [])


def test_a_group_with_variance_ends_the_streak():
    admission = make()
    observe(admission, [0], [False], times=4)
    assert admission.chance(PROMPTS)[0] == 0.05
    observe(admission, [0], [True])
    assert admission.chance(PROMPTS)[0] == 1.0


def test_a_group_with_variance_ends_the_streak_when_the_prompt_comes_twice_in_a_step():
    for informative in ([True, False], [False, True]):
        admission = make()
        observe(admission, [0], [False], times=3)
        observe(admission, [0, 0], informative)
        observe(admission, [], [], times=10)
        assert admission.chance(PROMPTS)[0] == 1.0


def test_no_prompt_is_excluded_for_good():
    admission = make(min_chance=0.01)
    observe(admission, [0], [False], times=500)
    observe(admission, [], [], times=32 * 10 - 1)
    assert admission.chance(PROMPTS)[0] < 1.0
    observe(admission, [], [])
    assert admission.chance(PROMPTS)[0] == 1.0


def test_prompts_are_admitted_as_often_as_the_chance_says():
    admission = make()
    observe(admission, [0, 1, 2], [False] * 3)
    observe(admission, [], [], times=5)
    assert admission.chance(PROMPTS).tolist() == [0.5, 0.5, 0.5, 1.0]
    rate = np.mean([admission.admits(PROMPTS) for _ in range(1000)], axis=0)
    assert rate == pytest.approx([0.5, 0.5, 0.5, 1.0], abs=0.06)


def test_state_round_trip(through_json):
    admission = make()
    observe(admission, [0, 1], [False, True], times=3)
    admission.admits(PROMPTS)
    saved = through_json(admission.state_dict())
    other = make()
    other.load_state_dict(saved)
    for _ in range(20):
        assert other.chance(PROMPTS).tolist() == admission.chance(PROMPTS).tolist()
        assert other.admits(PROMPTS).tolist() == admission.admits(PROMPTS).tolist()
        observe(admission, [2], [False])
        observe(other, [2], [False])
    assert saved["step"] == 3


def test_a_state_is_a_snapshot():
    admission, other = make(), make()
    state = admission.state_dict()
    observe(admission, [0], [False])
    other.load_state_dict(state)
    assert other.chance(PROMPTS).tolist() == [1.0] * 4
    observe(other, [0], [False])
    assert make().chance(PROMPTS).tolist() == [1.0] * 4
    other.load_state_dict(state)
    assert other.chance(PROMPTS).tolist() == [1.0] * 4
