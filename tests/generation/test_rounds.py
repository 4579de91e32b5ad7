"""A prompt's way to its line: what is asked for, when it stops early, and what becomes of responses without a score."""

import json
from collections.abc import Callable

import pytest

from curriculum_verl.generation.backend import Generated
from curriculum_verl.generation.job import Job
from curriculum_verl.generation.journal import Entry
from curriculum_verl.generation.prompts import Prompt
from curriculum_verl.generation.rounds import Progress
from curriculum_verl.rewards.scoring import Score
from curriculum_verl.rollouts.content import ContentReader
from curriculum_verl.rollouts.fields import ROLES

PROMPT = Prompt("a", [{"role": "user", "content": "1+1=?"}], ["2"], place=("d.jsonl", 4), ability="math")
NONE = Score(None, failure="no ground truth")


def go_on(job: Job, *rounds: list[Score]) -> Progress:
    progress = Progress(7, PROMPT)
    for scores in rounds:
        request = progress.next_request(job)
        assert request is not None
        assert (request.count, request.first) == (len(scores), len(progress.responses))
        progress.take([Generated(f"r{n}", 5, "stop") for n in range(len(scores))], scores, job, 0.5)
    return progress


def scores(*values: float) -> list[Score]:
    return [Score(value) for value in values]


def test_all_responses_are_asked_for_at_once(make_job: Callable[..., Job]) -> None:
    job = make_job(count=4)
    progress = go_on(job, scores(1, 1, 1, 1))
    assert progress.next_request(job) is None
    entry = progress.entry(job)
    line = json.loads(bytes(entry.line))
    assert (line["responses_asked"], line["responses_made"], line["stopped_early"]) == (4, 4, None)
    assert (entry.responses, entry.tokens, entry.saved_responses) == (4, 20, 0)


def test_the_line_is_a_rollout(make_job: Callable[..., Job]) -> None:
    entry = go_on(make_job(count=2), scores(1, 0.25)).entry(make_job(count=2))
    rollout = ContentReader(ROLES).rollout(bytes(entry.line))
    assert (rollout.id, rollout.scores, rollout.responses) == ("a", [1.0, 0.25], ["r0", "r1"])
    assert (rollout.ground_truth, rollout.ability) == ('["2"]', "math")


@pytest.mark.parametrize(
    ("first", "why"), [((1, 0.5, 1), "all_right"), ((0, 0.4, 0), "all_wrong"), ((0, 1, 0), None), ((1, 1, 0.2), None)]
)
def test_a_prompt_stops_when_its_first_responses_agree(
    make_job: Callable[..., Job], first: tuple[float, ...], why: str | None
) -> None:
    job = make_job(count=8, first=3)
    progress = go_on(job, scores(*first))
    assert progress.stopped == why
    request = progress.next_request(job)
    assert (request is None) == (why is not None)
    if why is not None:
        entry = progress.entry(job)
        assert (entry.saved_responses, entry.saved_tokens, entry.stopped) == (5, 25, why)
        assert json.loads(bytes(entry.line))["responses_made"] == 3


def test_a_response_without_a_score_is_neither_right_nor_wrong(make_job: Callable[..., Job]) -> None:
    job = make_job(count=4, first=2)
    progress = go_on(job, [Score(0.0), NONE], scores(0, 0))
    entry = progress.entry(job)
    line = json.loads(bytes(entry.line))
    assert line["reward"] == [0, 0, 0]
    assert len(line["response"]) == len(line["tokens"]) == 3
    assert line["unscored"] == [{"number": 1, "reason": "no ground truth", "response": "r1"}]
    assert (entry.unscored, entry.responses) == (1, 4)


def test_a_prompt_without_any_score_is_a_reject(make_job: Callable[..., Job]) -> None:
    entry = go_on(make_job(count=2), [NONE, NONE]).entry(make_job(count=2))
    assert bytes(entry.line) == b""
    reject = json.loads(bytes(entry.reject))
    assert (reject["file"], reject["line"], reject["id"], reject["reason"]) == ("d.jsonl", 4, "a", "unscored")
    assert "no ground truth" in reject["message"]
    assert reject["responses"] == ["r0", "r1"]


def test_tokens_that_are_not_counted_are_no_zeros(make_job: Callable[..., Job]) -> None:
    job = make_job(count=6, first=3)

    def entry(*tokens: int | None) -> Entry:
        progress = Progress(7, PROMPT)
        progress.take([Generated("r", count, "stop") for count in tokens], scores(1, 1, 1), job, 0.5)
        return progress.entry(job)

    some, none = entry(4, None, 8), entry(None, None, None)
    assert (some.tokens, some.uncounted, some.saved_tokens) == (12, 1, 18)
    assert json.loads(bytes(some.line))["tokens"] == [4, None, 8]
    assert (none.tokens, none.uncounted, none.saved_tokens) == (0, 3, 0)


def test_what_a_content_filter_ended_is_no_normal_end(make_job: Callable[..., Job]) -> None:
    progress = Progress(7, PROMPT)
    progress.take([Generated("r", 1, "content_filter"), Generated("r", 1, "stop")], scores(0, 1), make_job(), 0.5)
    entry = progress.entry(make_job(count=2))
    assert entry.filtered == 1
    assert json.loads(bytes(entry.line))["finish"] == ["content_filter", "stop"]


def test_seeds_follow_from_the_runs_seed_and_the_id_alone(make_job: Callable[..., Job]) -> None:
    def seed(job: Job, progress: Progress) -> int:
        request = progress.next_request(job)
        assert request is not None
        return request.seed

    one = seed(make_job(), Progress(1, PROMPT))
    assert one == seed(make_job(), Progress(9, PROMPT)) == seed(make_job(count=16), Progress(1, PROMPT))
    assert one != seed(make_job(seed=1), Progress(1, PROMPT))
