"""Buckets to parquet by a plain script: json.loads for every line, then a pandas frame a bucket."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pandas as pd


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


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    for path in sorted(source.glob("*.jsonl")):
        if path.name == "rejects.jsonl":
            continue
        with path.open(encoding="utf-8", newline="\n") as lines:
            rows = [row(line, path.stem, number) for number, line in enumerate(lines)]
        pd.DataFrame(rows).to_parquet(target / f"{path.stem}.parquet", compression="zstd")
