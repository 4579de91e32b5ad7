"""Buckets by a plain script: json.loads for every line, then the lines copied."""

import json
import math
import sys
from contextlib import ExitStack
from pathlib import Path

from cutting import NAMES, buckets_of

if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    means = []
    with source.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            scores = [reward["score"] for reward in json.loads(line)["reward"]]
            means.append(math.fsum(scores) / len(scores))
    with ExitStack() as stack:
        files = [stack.enter_context((target / f"{name}.jsonl").open("wb")) for name in NAMES]
        with source.open("rb") as raw:
            for line, bucket in zip(raw, buckets_of(means), strict=True):
                files[bucket].write(line)
