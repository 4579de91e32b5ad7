"""Bucketing and preprocessing from Python. Run: python examples/example_bucketing_usage.py"""

import json
import random
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from curriculum_verl.bucketing import settings as bucketing
from curriculum_verl.bucketing.manifest import read_bucket_manifest
from curriculum_verl.bucketing.run import bucket_rollouts
from curriculum_verl.bucketing.summary import table
from curriculum_verl.manifest import read_manifest
from curriculum_verl.parallel import InProcess
from curriculum_verl.preprocessing import settings as preprocessing
from curriculum_verl.preprocessing.run import preprocess


def write_rollouts(path: Path, prompts: int = 90, responses: int = 4) -> None:
    """Sums that a stand-in for a model gets wrong the more often, the larger they are."""
    source = random.Random(1)
    with path.open("w") as file:
        for number in range(prompts):
            a, b = (source.randrange(1 + number) for _ in range(2))
            right = [source.random() > number / prompts for _ in range(responses)]
            rollout = {
                "id": f"sum-{number}",
                "prompt": [{"role": "user", "content": f"What is {a} + {b} + {number}?"}],
                "response": {"choices": [{"message": {"content": str(a + b + number * good)}} for good in right]},
                "reward": [{"score": float(good)} for good in right],
                "ground_truth": str(a + b + number),
            }
            file.write(json.dumps(rollout) + "\n")


with tempfile.TemporaryDirectory() as temporary:
    folder = Path(temporary)
    write_rollouts(folder / "rollouts.jsonl")

    wanted = bucketing.Settings(metric="success_rate", buckets=3)
    done = bucket_rollouts([folder / "rollouts.jsonl"], folder / "bucketed", wanted, InProcess(), report=False)
    print(table(done.summary))

    buckets = read_bucket_manifest(folder / "bucketed").buckets
    print(f"\neasiest first: {', '.join(f'{bucket.name} ({bucket.prompts} prompts)' for bucket in buckets)}")

    preprocess(folder / "bucketed", folder / "data", preprocessing.Settings(filter="passing_only"), InProcess())
    manifest = read_manifest(folder / "data" / "manifest.json")
    print(f"removed: {manifest.removed}")
    for bucket in manifest.buckets:
        rows = pq.read_table([folder / "data" / name for name in bucket.train]).to_pylist()
        info = rows[0]["extra_info"]
        print(f"\n{bucket.name}: {bucket.prompts} prompts to train on, {bucket.validation_prompts} to validate")
        print(f"  such as {rows[0]['prompt'][0]['content']}  ground truth {rows[0]['reward_model']['ground_truth']}")
        print(f"  {info['difficulty_metrics']['success_rate']:.0%} solved, best: {info['best_response']['content']!r}")
