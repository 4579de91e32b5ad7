"""Buckets by pandas, the file read twice in chunks: one frame of it would hold ten times its size in memory."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
from cutting import NAMES, buckets_of

CHUNK = 5_000  # rows


def frames(source: Path) -> Iterator[pd.DataFrame]:
    with pd.read_json(source, lines=True, chunksize=CHUNK) as chunks:
        yield from chunks


def mean(rewards: list[dict[str, float]]) -> float:
    return sum(reward["score"] for reward in rewards) / len(rewards)


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    means = pd.concat([frame["reward"].map(mean) for frame in frames(source)], ignore_index=True)
    buckets = pd.Series(buckets_of(means))
    with ExitStack() as stack:
        files = [stack.enter_context((target / f"{name}.jsonl").open("w", encoding="utf-8")) for name in NAMES]
        for frame in frames(source):
            for bucket, part in frame.groupby(buckets[frame.index]):
                part.to_json(files[bucket], orient="records", lines=True, force_ascii=False, double_precision=15)
