"""Traces, and the statistics of tool use that all share."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rewards.made_up_texts import RESPONSES, fuzz

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.settings import Operations
from curriculum_verl.rewards.trajectory import read_trajectory
from curriculum_verl.rewards.usage import (
    MOST_KEPT,
    Trace,
    efficiency,
    looping,
    tool_counts,
    tool_use_rate,
)

OPERATIONS = Operations()


def trace(text, digits=2):
    return Trace.of(read_trajectory(text, OPERATIONS), OPERATIONS, digits)


def test_a_trace_counts_tools_thoughts_steps_and_what_is_malformed():
    found = trace("I look.\nZOOM_IN(x=1)\nTHINK('It is red.')\nREAD_TEXT()\nZOOM_IN(\n<tool_call>7</tool_call>")
    assert [name for name, _ in found.operations] == ["ZOOM_IN", "READ_TEXT"]
    assert (found.calls, found.malformed, found.thoughts, found.steps) == (2, 2, 1, 2)
    assert (found.attempts, found.uses_tools) == (4, True)
    assert not trace("THINK('It is red.')\nZOOM_IN(").uses_tools


def test_numbers_are_hashed_by_their_leading_digits():
    def hashed(text, digits=2):
        return trace(text, digits).operations

    assert hashed("ZOOM_IN(x=121, y=-0.0)") == hashed("ZOOM_IN(y=0, x=119.6)")
    assert hashed("ZOOM_IN(x=121)") != hashed("ZOOM_IN(x=131)")
    assert hashed("ZOOM_IN(x=121)", digits=3) != hashed("ZOOM_IN(x=119)", digits=3)
    assert hashed("ZOOM_IN(x=1)") != hashed("ZOOM_IN(y=1)")
    assert hashed("ZOOM_IN(x=1)") != hashed("READ_TEXT(x=1)")
    assert hashed("ZOOM_IN(x='a')") != hashed("ZOOM_IN(x='b')")


def test_hashes_are_the_same_in_every_process():
    assert trace("ZOOM_IN(x=121, label='cup')").operations == (("ZOOM_IN", 3115364738),)


def test_efficiency_is_distinct_calls_over_all_attempts():
    assert efficiency(trace("ZOOM_IN(x=1)\nREAD_TEXT()\nZOOM_IN(x=1)\nZOOM_IN(x=")) == pytest.approx(2 / 4)
    assert efficiency(trace("ZOOM_IN(")) == 0
    assert efficiency(Trace()) == 0


def test_looping_is_the_share_of_calls_in_a_loop():
    assert looping(trace("ZOOM_IN(x=1)\nREAD_TEXT()\n" * 3)) == pytest.approx(4 / 6)
    assert looping(Trace()) == 0


def test_rates_and_counts_over_responses():
    traces = [trace("ZOOM_IN(x=1)\nZOOM_IN(x=2)\nREAD_TEXT()"), trace("ZOOM_IN("), trace("THINK('so')"), trace("")]
    assert tool_use_rate(traces) == pytest.approx(1 / 4)
    assert tool_counts(traces) == {"ZOOM_IN": 2, "READ_TEXT": 1}
    assert tool_use_rate([]) == 0


def test_a_trace_stays_small_whatever_the_response_is():
    long = trace("".join(f"ZOOM_IN(x={number})\n" for number in range(5000)))
    assert (len(long.operations), long.calls) == (MOST_KEPT, 5000)
    assert len(long.encode()) < 5000
    assert Trace.decode(long.encode()) == long
    many = trace("<tool_call>" * 5000 + "<tool_call>{'" + "name" * 5000)
    assert many.malformed == 5001
    assert len(many.encode()) < 50


@fuzz
@given(RESPONSES, st.integers(1, 20))
def test_a_trace_comes_back_as_it_was_sent(text, digits):
    sent = trace(text, digits)
    assert Trace.decode(sent.encode()) == sent
    assert 0 <= efficiency(sent) <= 1
    assert 0 <= looping(sent) <= 1


VALID = trace("ZOOM_IN(x=1)\nZOOM_IN(x=").encode()
SPOILED = st.tuples(st.integers(0, len(VALID)), st.integers(0, 4), st.text(max_size=3)).map(
    lambda cut: VALID[: cut[0]] + cut[2] + VALID[cut[0] + cut[1] :]
)


@fuzz
@given(st.text() | SPOILED)
@example("")
@example("[[],1,0,0,0]")
@example('[[["ZOOM_IN",-1]],1,0,0,0]')
@example('[[["ZOOM_IN",1e300]],1,0,0,0]')
@example("[" * 100_000)
@example("\ud800")
def test_what_is_no_trace_is_refused(text):
    try:
        found = Trace.decode(text)
    except InputError:  # any other error fails the test
        return
    assert Trace.decode(found.encode()) == found


@pytest.mark.parametrize("calls", [1, 3])
def test_a_trace_that_lists_another_number_of_calls_is_refused(calls):
    with pytest.raises(InputError, match=f"got {calls} calls and lists 2"):
        Trace.decode(f'[[["ZOOM_IN",1],["ZOOM_IN",2]],{calls},0,0,0]')


@pytest.mark.parametrize("value", [None, 7, ["a"], {}])
def test_what_is_no_text_is_no_trace(value):
    with pytest.raises(InputError, match=r"expected what Trace\.encode gave"):
        Trace.decode(value)
