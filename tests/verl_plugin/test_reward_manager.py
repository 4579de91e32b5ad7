"""The reward manager as verl's RewardLoopWorker uses it, on real DataProto batches and a real tokenizer."""

import asyncio
import json
import threading
import time

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("verl")
import torch
from integration.verl_toy import toy_tokenizer
from omegaconf import OmegaConf
from verl import DataProto

from curriculum_verl.verl_plugin.feedback import FAILURE, mean_components
from curriculum_verl.verl_plugin.reward_manager import CurriculumRewardManager
from curriculum_verl.verl_plugin.tickets import FIELD

TOKENIZER = toy_tokenizer()
BLOCK = {"stages": [{"name": "only", "mix": {"easy": 1.0}}]}
WEIGHTS = {"final": 2.0, "coherence": 0.0}


def sample(text: str, weights=WEIGHTS, **fields) -> DataProto:
    ids = torch.tensor([TOKENIZER.encode(text)])
    row = {
        "data_source": "toy",
        "reward_model": {"ground_truth": "7"},
        "extra_info": {"id": "p1", "curriculum_stage": "hard"},
        **({FIELD: {"row": 0, "bucket": "easy", "stage": 0, "weights": weights, "scales": {}}} if weights else {}),
        **fields,
    }
    arrays = {name: np.array([value], dtype=object) for name, value in row.items()}
    return DataProto.from_dict({"responses": ids, "attention_mask": torch.ones_like(ids)}, arrays)


def score(compute_score, data: DataProto, **block) -> dict:
    async def run() -> dict:
        config = OmegaConf.create({"curriculum": BLOCK | block})
        return await CurriculumRewardManager(config, TOKENIZER, compute_score).run_single(data)

    return asyncio.run(run())


def equals(solution_str, ground_truth, **_):
    return {"score": 0.75 if solution_str == ground_truth else 0.0, "more": 1}


def test_a_response_is_weighed_by_what_came_with_its_prompt_and_its_raw_score_is_told():
    result = score(equals, sample("7"))
    assert result["reward_score"] == 1.5
    extra = result["reward_extra_info"]
    assert (extra["reward/final"], extra["success"], extra["bucket"], extra["more"]) == (0.75, 1.0, "easy", 1)
    assert extra[FAILURE] == ""
    assert score(equals, sample("8"))["reward_extra_info"]["success"] == 0.0


def test_a_task_that_keeps_what_its_verifier_needs_in_extra_info_is_scored_after_preprocessing():
    """Preprocessing puts the rollouts' own extra_info aside."""
    pytest.importorskip("reasoning_gym")
    entry = {"source_dataset": "chain_sum", "source_index": 0}
    aside = {"id": "p1", "curriculum_stage": "easy", "original": json.dumps({"metadata": entry})}
    task = {"data_source": "reasoning_gym/chain_sum", "reward_model": {"ground_truth": "7"}, "extra_info": aside}
    result = score(equals, sample("7", **task), scoring={"final": {}})
    assert result["reward_extra_info"][FAILURE] == ""
    assert result["reward_extra_info"]["reward/final"] == 1.0


def test_in_validation_the_raw_score_counts_and_the_bucket_is_the_rows():
    result = score(equals, sample("7", weights=None), pass_threshold=0.8)
    assert result["reward_score"] == 0.75
    assert (result["reward_extra_info"]["bucket"], result["reward_extra_info"]["success"]) == ("hard", 0.0)


async def asynchronous(solution_str, ground_truth, **_):
    await asyncio.sleep(0)
    return float(solution_str == ground_truth)


def test_an_asynchronous_function_is_awaited():
    assert score(asynchronous, sample("7"))["reward_score"] == 2.0


def nan(**_):
    return float("nan")


def fails(**_):
    raise KeyError("verifier broke")


def text(**_):
    return "good"


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (nan, "gave nan, expected a finite number"),
        (fails, "KeyError: 'verifier broke'"),
        (text, "ValueError: could not"),
    ],
)
def test_what_cannot_be_scored_is_neither_passed_nor_failed_and_says_of_which_prompt(function, reason, caplog):
    result = score(function, sample("7"))
    extra = result["reward_extra_info"]
    assert (result["reward_score"], extra["reward/final"], extra["success"]) == (0.0, None, None)
    assert extra[FAILURE].startswith("final of prompt p1: ")
    assert reason in extra[FAILURE]
    assert "prompt p1" in caplog.text


def test_a_function_that_hangs_costs_the_response_its_score_after_the_timeout():
    released = threading.Event()

    def hangs(**_):
        released.wait(30)

    began = time.monotonic()

    async def run() -> dict:
        config = OmegaConf.create({"curriculum": BLOCK | {"reward_timeout": 0.2}})
        result = await CurriculumRewardManager(config, TOKENIZER, hangs).run_single(sample("7"))
        released.set()
        return result

    result = asyncio.run(run())
    assert time.monotonic() - began < 10
    assert "took longer than 0.2 s" in result["reward_extra_info"][FAILURE]


REWARDS = [{"name": "only", "mix": {"easy": 1.0}, "rewards": {"final": 1.0, "coherence": 0.1, "curiosity": 0.1}}]
TOOLS = 'I look closer.\n<tool_call>{"name": "ZOOM_IN", "arguments": {"box": [1, 2]}}</tool_call>\n<answer>7</answer>'


def test_components_are_scored_beside_the_users_function_and_told_raw_with_their_parts():
    weights = {"final": 1.0, "coherence": 0.5, "curiosity": 0.1}
    result = score(equals, sample(TOOLS, weights=weights), stages=REWARDS)
    extra = result["reward_extra_info"]
    assert extra["reward/final"] == 0.0
    assert -1 <= extra["reward/coherence"] <= 1
    assert {"reward/coherence/repetition", "reward/coherence/calls"} <= extra.keys()
    assert result["reward_score"] == pytest.approx(0.5 * extra["reward/coherence"])
    assert "ZOOM_IN" in extra["trace"]


def test_a_verifier_may_stand_for_the_function_and_scales_come_with_the_prompt():
    data = sample("7.0")
    data.non_tensor_batch[FIELD][0]["scales"] = {"final": [0.5, 2.0, -5.0, 5.0]}
    result = score(fails, data, scoring={"final": {"default": "numeric"}})
    extra = result["reward_extra_info"]
    assert (extra["reward/final"], extra["success"], extra[FAILURE]) == (1.0, 1.0, "")
    assert result["reward_score"] == 2.0 * (1.0 - 0.5) * 2.0, "weight times the normalised value; told is the raw one"


class Spelled:
    """Texts beyond the toy tokenizer's letters: tokens are code points."""

    def decode(self, ids, skip_special_tokens):
        return "".join(map(chr, ids))


def test_responses_that_hang_a_verifier_score_nothing_and_are_no_failures_however_long_they_queue(caplog):
    """Nobody's run ends because its policy has found an answer that takes a verifier all its time."""
    pytest.importorskip("math_verify")
    batch = [sample("7") for _ in range(4)]
    for data, text in zip(batch, ["9^{9^{9^{9}}}"] * 3 + ["7"], strict=True):
        data.batch = DataProto.from_dict({"responses": torch.tensor([[ord(c) for c in rf"\boxed{{{text}}}"]])}).batch
        data.batch["attention_mask"] = torch.ones_like(data.batch["responses"])
    final = {"default": "math", "workers": {"count": 1, "seconds": 2}}

    async def run() -> list[dict]:
        block = BLOCK | {"scoring": {"final": final}, "reward_timeout": 3}
        manager = CurriculumRewardManager(OmegaConf.create({"curriculum": block}), Spelled(), equals)
        return await asyncio.gather(*map(manager.run_single, batch))

    extras = [result["reward_extra_info"] for result in asyncio.run(run())]
    assert [extra[FAILURE] for extra in extras] == [""] * 4
    assert [extra["reward/final"] for extra in extras] == [0.0, 0.0, 0.0, 1.0]
    assert [extra["success"] for extra in extras] == [0.0, 0.0, 0.0, 1.0]
    assert mean_components(extras)["reward/final/gave_up"] == 0.75
    assert caplog.text.count("scores 0: the verifier took more than 2 s") == 3
