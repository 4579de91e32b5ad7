"""Rows of training data as verl reads them: one explicit schema, so that every file goes together with every other."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from curriculum_verl.difficulty import Settings, max_reward, mean_reward, min_reward, success_rate, variance
from curriculum_verl.rollouts.content import Message, Rollout

Row = dict[str, Any]

MESSAGE = pa.struct({"role": pa.string(), "content": pa.string()})
REWARD_MODEL = pa.struct({"style": pa.string(), "ground_truth": pa.string(), "ground_truth_format": pa.string()})
DIFFICULTY_METRICS = pa.struct(
    {
        "mean_score": pa.float64(),
        "max_score": pa.float64(),
        "min_score": pa.float64(),
        "variance": pa.float64(),
        "success_rate": pa.float64(),
        "num_responses": pa.int64(),
    }
)
BEST_RESPONSE = pa.struct({"content": pa.string(), "score": pa.float64(), "position": pa.int64()})
EXTRA_INFO = pa.struct(
    {
        "index": pa.int64(),
        "id": pa.string(),
        "curriculum_stage": pa.string(),
        "difficulty": pa.float64(),
        "difficulty_metrics": DIFFICULTY_METRICS,
        "best_response": BEST_RESPONSE,
        "original": pa.string(),
    }
)
SCHEMA = pa.schema(
    {
        "data_source": pa.string(),
        "prompt": pa.list_(MESSAGE),
        "ability": pa.string(),
        "reward_model": REWARD_MODEL,
        "extra_info": EXTRA_INFO,
    }
)


def make_row(
    rollout: Rollout,
    prompt: list[Message],
    *,
    data_source: str,
    ability: str,
    index: int,
    stage: str,
    difficulty: float,
    metrics: Row,
) -> Row:
    """A row of SCHEMA."""
    # The type of a ground truth differs from row to row, which a column cannot: it is text, and says if that is JSON.
    text = rollout.ground_truth
    kind = None if text is None else "json" if rollout.ground_truth_is_json else "text"
    return {
        "data_source": data_source,
        "prompt": prompt,
        "ability": ability,
        "reward_model": {"style": "rule", "ground_truth": text, "ground_truth_format": kind},
        "extra_info": {
            "index": index,
            "id": rollout.id,
            "curriculum_stage": stage,
            "difficulty": difficulty,
            "difficulty_metrics": metrics,
            "best_response": best_response(rollout),
            "original": rollout.extra_info,
        },
    }


def best_response(rollout: Rollout) -> Row | None:
    """The first of the responses with the best score; None where no responses were logged."""
    if not rollout.responses:
        return None
    score = max(rollout.scores)
    position = rollout.scores.index(score)
    return {"content": rollout.responses[position], "score": score, "position": position}


def difficulty_metrics(scores: Sequence[float], settings: Settings) -> Row:
    """What the scores say of a prompt, in the figures that every row has."""
    return {
        "mean_score": mean_reward(scores, settings),
        "max_score": max_reward(scores, settings),
        "min_score": min_reward(scores, settings),
        "variance": variance(scores, settings),
        "success_rate": success_rate(scores, settings),
        "num_responses": len(scores),
    }


def prompt_with(messages: Sequence[Message], system: str | None, instruction: str | None) -> list[Message]:
    """The prompt with a system message, in place of any of its own, and an instruction after the user's last words."""
    prompt = list(messages)
    if instruction is not None:
        last = max(place for place, message in enumerate(prompt) if message["role"] == "user")
        prompt[last] = {"role": "user", "content": f"{prompt[last]['content']}\n\n{instruction}"}
    if system is not None:
        prompt = [{"role": "system", "content": system}, *(m for m in prompt if m["role"] != "system")]
    return prompt
