"""A row of training data from a line of a bucket, by json.loads: what the plain scripts have in common."""

import json
import math
from pathlib import Path
from typing import Any


def row(line: str, stage: str, index: int) -> dict[str, Any]:
    rollout = json.loads(line)
    scores = [reward["score"] for reward in rollout["reward"]]
    best = scores.index(max(scores))
    return {
        "data_source": rollout["data_source"],
        "prompt": rollout["prompt"],
        "ability": "instruction_following",
        "reward_model": {"style": "rule", "ground_truth": rollout["ground_truth"]},
        "extra_info": {
            "index": index,
            "id": rollout["id"],
            "curriculum_stage": stage,
            "difficulty": -math.fsum(scores) / len(scores) + 0.0,
            "best_response": {
                "content": rollout["response"]["choices"][best]["message"]["content"],
                "score": scores[best],
            },
        },
    }


def buckets(source: Path) -> list[Path]:
    return [path for path in sorted(source.glob("*.jsonl")) if path.name != "rejects.jsonl"]


def rows(path: Path) -> list[dict[str, Any]]:
    """Those of one bucket."""
    with path.open(encoding="utf-8", newline="\n") as lines:
        return [row(line, path.stem, number) for number, line in enumerate(lines)]
