"""R_curiosity: by the group, against counts of the steps before, the same whatever the order."""

import copy
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewards.made_up_texts import RESPONSES, fuzz

from curriculum_verl.rewards.curiosity import Curiosity, trace_response
from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.settings import CuriositySettings, Operations
from curriculum_verl.rewards.usage import Trace

RATE_ALONE = CuriositySettings(target=0.5, most_operations=2, novelty_weight=0.0)
NOVELTY_ALONE = CuriositySettings(rate_weight=0.0, excess_weight=0.0, novelty_weight=1.0, decay=0.5)


def used(*names_and_places, malformed=0):
    return Trace(tuple(names_and_places), len(names_and_places), malformed)


ZOOM, READ, NONE = ("ZOOM_IN", 1), ("READ_TEXT", 2), Trace()


def values(curiosity, *groups):
    return [[score.value for score in group] for group in curiosity.score_groups(groups)]


def test_a_tool_earns_a_bonus_while_its_group_uses_tools_too_rarely():
    curiosity = Curiosity(RATE_ALONE)
    rare, often = [used(ZOOM), NONE, NONE, NONE], [used(ZOOM), used(READ), used(ZOOM), NONE]
    (first, *others), second = values(curiosity, rare, often)
    assert first == pytest.approx(0.5 - 0.25)
    assert others == [0, 0, 0]
    assert second == [0, 0, 0, 0]


def test_operations_beyond_the_limit_cost_and_malformed_ones_count():
    (group,) = Curiosity(RATE_ALONE).score_groups([[used(ZOOM, READ, malformed=3), used(ZOOM, READ), NONE]])
    assert [score.parts["excess"] for score in group] == [-3, 0, 0]
    assert group[0].value == pytest.approx(-3 * 0.05)
    many = Trace((ZOOM,) * 128, 10**9, 10**9)
    assert Curiosity().score_groups([[many]])[0][0].value == -1


def test_only_malformed_calls_earn_nothing():
    (group,) = Curiosity().score_groups([[Trace(malformed=1), NONE]])
    assert group[0].value == 0
    assert group[0].parts["group_rate"] == 0


def test_a_state_is_less_new_the_more_often_it_was_reached():
    curiosity = Curiosity(NOVELTY_ALONE)
    assert values(curiosity, [used(ZOOM)]) == [[1]]
    curiosity.observe(0, [[used(ZOOM), used(ZOOM)], [used(ZOOM, READ)]])
    # What was counted at step 0 has faded by half when step 1 is scored.
    assert values(curiosity, [used(ZOOM), used(READ)]) == [[pytest.approx(2.5**-0.5), pytest.approx(1.5**-0.5)]]


def test_repeating_a_call_or_breaking_one_halves_the_mean():
    curiosity = Curiosity(NOVELTY_ALONE)
    assert values(curiosity, [used(ZOOM, ZOOM)]) == [[1 / 2]]
    broken = used(ZOOM, malformed=1)  # ZOOM_IN weighs 2, a malformed call 1
    assert values(curiosity, [broken]) == [[pytest.approx(2 / 3)]]
    curiosity.observe(0, [[used(ZOOM, ZOOM, ZOOM)]])
    assert values(curiosity, [used(ZOOM)]) == [[pytest.approx(1.5**-0.5)]], "a response counts a state once"


def test_heavier_operations_count_more():
    settings = Operations(weights={"ZOOM_IN": 3.0, "READ_TEXT": 1.0})
    curiosity = Curiosity(NOVELTY_ALONE, settings)
    curiosity.observe(0, [[used(ZOOM)] * 6])
    assert values(curiosity, [used(ZOOM, READ)]) == [[pytest.approx((3 * 0.5 + 1) / 4)]]


TRACES = st.builds(
    lambda calls, more, malformed: Trace(tuple(calls), len(calls) + more, malformed),
    st.lists(st.tuples(st.sampled_from(["ZOOM_IN", "READ_TEXT", "UNKNOWN"]), st.integers(0, 3)), max_size=9),
    st.integers(0, 3),
    st.integers(0, 9),
)
GROUPS = st.lists(st.lists(TRACES, max_size=5), max_size=5)


@fuzz
@given(st.lists(GROUPS, max_size=4), GROUPS, st.randoms(use_true_random=False))
def test_order_changes_nothing_scoring_changes_nothing_and_all_is_finite(through_json, steps, groups, rng):
    settings = CuriositySettings(most_states=3)
    curiosity, other = Curiosity(settings), Curiosity(settings)
    for step, observed in enumerate(steps):
        curiosity.observe(step, observed)
        shuffled = [rng.sample(group, len(group)) for group in observed]
        rng.shuffle(shuffled)
        other.observe(step, shuffled)
    before = copy.deepcopy(curiosity.state_dict())
    scores = curiosity.score_groups(groups)
    assert curiosity.state_dict() == before == other.state_dict()
    assert curiosity.metrics() == other.metrics()
    order = rng.sample(range(len(groups)), len(groups))
    found = other.score_groups([groups[at] for at in order])
    assert found == [scores[at] for at in order]
    resumed = Curiosity(settings)
    resumed.load_state_dict(through_json(before))
    assert resumed.score_groups(groups) == scores
    assert (resumed.metrics(), resumed.state_dict()) == (curiosity.metrics(), before)
    for score in (score for group in scores for score in group):
        assert -1 <= score.value <= 1
        assert all(math.isfinite(part) for part in score.parts.values())
    assert len(before["states"]) <= 3


def test_many_workers_give_the_scores_of_one():
    """Each response goes to a random worker; only its trace comes back, and the trainer puts groups together."""
    rng = random.Random(5)
    settings, operations = CuriositySettings(), Operations()
    texts = ["ZOOM_IN(x=1)\nREAD_TEXT()", "I see a cup.", "ZOOM_IN(x=1", "SEGMENT_OBJECT_AT(x=9, y=7)", "", "7"]
    responses = [(prompt, Response(rng.choice(texts))) for prompt in range(6) for _ in range(8)]

    def arrive(workers):
        sent = [[] for _ in range(workers)]
        for uid, (prompt, response) in enumerate(responses):
            trace = trace_response(response, settings, Operations())  # a worker has settings of its own
            rng.choice(sent).append((uid, prompt, trace.encode()))
        rng.shuffle(sent)
        came = [message for worker in sent for message in worker]
        groups = {prompt: [message for message in came if message[1] == prompt] for _, prompt, _ in came}
        curiosity = Curiosity(settings, operations)
        scores = {}
        for step in range(3):
            traces = [[Trace.decode(text) for _, _, text in group] for group in groups.values()]
            scored = curiosity.score_groups(traces)
            for group, found in zip(groups.values(), scored, strict=True):
                scores |= {(step, message[0]): score for message, score in zip(group, found, strict=True)}
            curiosity.observe(step, traces)
        return scores, curiosity.state_dict()

    assert arrive(1) == arrive(7)


def test_a_step_is_counted_once():
    curiosity = Curiosity()
    curiosity.observe(3, [[used(ZOOM)]])
    state = curiosity.state_dict()
    curiosity.observe(3, [[used(READ)] * 5])
    curiosity.observe(2, [[used(READ)] * 5])
    assert curiosity.state_dict() == state


def test_metrics_say_what_the_last_step_did():
    curiosity = Curiosity()
    assert curiosity.metrics() == {"states": 0}
    curiosity.observe(1, [[used(ZOOM, ZOOM, READ, malformed=1), NONE], [used(READ), NONE]])
    metrics = curiosity.metrics()
    expected = {
        "tool_use_rate": 2 / 4,
        "attempts_per_response": 5 / 4,
        "malformed_share": 1 / 5,
        "efficiency": (2 / 4 + 1) / 2,
        "looping": (1 / 3 + 0) / 2,
        "tools/ZOOM_IN": 2 / 4,
        "tools/READ_TEXT": 2 / 4,
        "tools/TRACK_OBJECT": 0,
        "states": 2,
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)
    assert "tools/THINK" not in metrics


@pytest.mark.parametrize("text", [None, 7, b"ZOOM_IN()"])
def test_a_text_that_is_none_gives_an_empty_trace(text):
    assert trace_response(Response(text), CuriositySettings(), Operations()) == Trace()


@fuzz
@given(st.lists(RESPONSES, max_size=4))
def test_any_group_of_texts_is_scored(texts):
    settings, operations = CuriositySettings(), Operations()
    traces = [trace_response(Response(text), settings, operations) for text in texts]
    (scores,) = Curiosity().score_groups([traces])
    assert all(score.failure is None and -1 <= score.value <= 1 for score in scores)
    assert len(scores) == len(texts)
