"""What is kept of a model's answers: tokens that a server does not count, and prompts that were not sampled."""

import json
from pathlib import Path
from typing import Any

import pytest

from curriculum_verl.evaluation.samples import Samples, condense, read_samples, write_samples
from curriculum_verl.generation.folder import Places
from curriculum_verl.generation.job import Shard
from curriculum_verl.rewards.settings import Operations


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path, Shard())


def line(id: str, tokens: list[int | None]) -> dict[str, Any]:
    prompt = [{"role": "user", "content": "x"}]
    return {"id": id, "prompt": prompt, "response": ["1"] * len(tokens), "reward": [1.0] * len(tokens)} | {
        "tokens": tokens,
        "finish": ["content_filter"] * len(tokens),
    }


def condensed(places: Places, lines: list[dict[str, Any]], rejects: list[dict[str, Any]] | None = None) -> Samples:
    places.rollouts.write_text("".join(json.dumps(one) + "\n" for one in lines))
    places.rejects.write_text("".join(json.dumps(one) + "\n" for one in rejects or []))
    return condense(places, {}, Operations())


def test_the_sum_of_tokens_is_unknown_as_soon_as_one_is(places: Places, tmp_path: Path) -> None:
    assert condensed(places, [line("a", [2, 3]), line("b", [4, 5])]).tokens == 14
    samples = condensed(places, [line("a", [2, 3]), line("b", [4, None])])
    assert samples.tokens is None
    assert samples.answers({"a": "easy", "b": "easy"})[1].tokens == [4, None]
    write_samples(samples, tmp_path / "kept.json")
    assert read_samples(tmp_path / "kept.json") == samples


def test_a_prompt_that_was_not_sampled_is_skipped_and_one_that_could_not_be_scored_failed(places: Places) -> None:
    reject = {"file": "d.jsonl", "line": 1, "reason": "unscored", "message": "no truth"}
    rejects = [{**reject, "id": "b"}, {**reject, "id": "c", "responses": ["1", "2"]}]
    samples = condensed(places, [line("a", [2])], rejects)
    assert samples.skipped == {"b": "no truth"}
    assert [(one.id, one.scores) for one in samples.answered] == [("a", [1.0]), ("c", [None, None])]
    assert samples.unscored == {"no truth": 2}
