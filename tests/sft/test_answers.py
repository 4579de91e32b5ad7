"""Who is at fault when an answer cannot be judged: data are looked at before training, the model is never an error."""

import importlib.util
import json
import logging
import math
from pathlib import Path
from typing import Any

import pytest
from sft.toy_sft import BUCKETS, chat, recipe, rows, told

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.verifiers.registry import build_verifier
from curriculum_verl.rewards.verifiers.settings import FinalSettings
from curriculum_verl.sft import answers
from curriculum_verl.sft.answers import check_references, judge
from curriculum_verl.sft.data import ChatDataset
from curriculum_verl.sft.run import build_trainer, run_sft
from curriculum_verl.sft.samples import Sample, read_samples

EXACT = build_verifier(FinalSettings(default="exact"))


class Choosy:
    """Cannot judge what holds a tower of powers."""

    def score(self, response: Response) -> Score:
        if "9^9" in response.text or "9^9" in str(response.ground_truth):
            return Score(None, failure="too large")
        return Score(float(response.text == response.ground_truth))


def dataset(*truths: Any, answer: str = "1") -> ChatDataset:
    samples = [
        Sample(chat("?", answer), BUCKETS[number % 3], truth, where=f"x.jsonl:{number + 1}")
        for number, truth in enumerate(truths)
    ]
    return ChatDataset(sorted(samples, key=lambda sample: BUCKETS.index(sample.bucket)), [], BUCKETS)


def test_an_answer_that_cannot_be_judged_has_no_score_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    samples = dataset("1", "1", "1").samples
    with caplog.at_level(logging.WARNING):
        scores = judge(Choosy(), samples, ["1", "9^9^9", "2"])
    assert [scores[0], math.isnan(scores[1]), scores[2]] == [1.0, True, 0.0]
    assert "1 of 3 answers cannot be judged and score 0: x.jsonl:2: '9^9^9': too large" in caplog.text


def test_a_ground_truth_that_cannot_be_judged_by_is_an_error_with_its_line() -> None:
    with pytest.raises(InputError) as caught:
        check_references(Choosy(), dataset("1", "1", "1"), None, dataset("1", "9^9", "1", "9^9^9"))
    message = str(caught.value)
    assert "got 2 samples that no answer can be judged by" in message
    assert "x.jsonl:2: its own last message cannot be judged: too large" in message
    assert "x.jsonl:4:" in message
    check_references(None, dataset("9^9", "1", "1"))


def test_a_bucket_whose_references_all_fail_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_references(EXACT, dataset("1", "7", "1", "1", "8", "9"))
    assert "x.jsonl: not one last message of bucket medium passes as an answer" in caplog.text
    assert "bucket simple" not in caplog.text
    assert "bucket hard" not in caplog.text


def test_a_run_looks_at_its_references_before_a_model_is_loaded(toy: Path, tmp_path: Path) -> None:
    lines = [row | ({"ground_truth": []} if row["difficulty"] == "hard" else {}) for row in rows(0, 2)]
    (tmp_path / "bad.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = recipe(toy, tmp_path / "out", "evaluation.score=answers", f"data.validation={tmp_path / 'bad.jsonl'}")
    with pytest.raises(InputError, match=r"bad\.jsonl:3: its own last message cannot be judged"):
        build_trainer(config)


def test_a_run_goes_on_when_answers_cannot_be_judged_and_counts_them(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Never:
        def score(self, response: Response) -> Score:
            return Score(1.0) if response.text == response.ground_truth else Score(None, failure="no")

    monkeypatch.setattr("curriculum_verl.sft.run.build_verifier", lambda settings: Never())
    monkeypatch.setattr(answers, "answer", lambda model, tokenizer, samples, **more: iter(["9^9"] * len(samples)))
    monkeypatch.setattr("curriculum_verl.sft.trainer.answer", answers.answer)
    overrides = ("evaluation.score=answers", "training.max_steps=4")
    trainer = run_sft(recipe(toy, tmp_path / "out", *overrides))
    logged = [entry for entry in trainer.state.log_history if "eval_unjudged" in entry]
    assert logged
    assert logged[0]["eval_unjudged"] == logged[0]["eval_hard_unjudged"] == 1.0
    assert logged[0]["eval_score"] == 0.0
    assert told(tmp_path / "out")


def test_the_references_of_the_demo_pass(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "recipes" / "sft_curriculum" / "demo.py"
    spec = importlib.util.spec_from_file_location("sft_demo", path)
    assert spec is not None
    assert spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    demo.write_data(tmp_path)
    samples = read_samples([str(tmp_path)], BUCKETS, "difficulty")
    assert judge(EXACT, samples, [sample.messages[-1]["content"] for sample in samples]) == [1.0] * len(samples)
