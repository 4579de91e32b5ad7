"""Bucket folders out of nothing, as the bucketing writes them; shared by tests."""

import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from curriculum_verl.bucketing.manifest import NAME, Bucket, BucketFile, BucketManifest, MetricUsed, Source
from curriculum_verl.difficulty import Settings, find_metric
from curriculum_verl.rollouts.fields import parse_fields
from curriculum_verl.rollouts.ids import IdsHash, joint_hash
from curriculum_verl.rollouts.scores import ScoreReader

Line = Mapping[str, Any] | bytes


def rollout(number: int, scores: Iterable[float] = (0.0, 1.0), **changes: Any) -> dict[str, Any]:
    """A line in the rollout format; `changes` that are ... take a field away."""
    scores = list(scores)
    line = {
        "num": number,
        "key": f"k{number}",
        "prompt": [{"role": "user", "content": f"What is {number} plus {number}?"}],
        "response": {"choices": [{"message": {"content": f"answer {n} to {number}"}} for n in range(len(scores))]},
        "reward": [{"score": score, "V_i": 0.5} for score in scores],
        "ground_truth": str(number + number),
        "extra_info": {"split": "train", "number": number},
    } | changes
    return {key: value for key, value in line.items() if value is not ...}


def dump(text: str, score: float, gts: str | None = "4") -> dict[str, Any]:
    """A line of verl's rollout dump."""
    return {"input": text, "output": f"because {score}", "gts": gts, "score": score, "step": 1, "uid": "u"}


def write_buckets(
    folder: Path,
    buckets: Mapping[str, Iterable[Line]],
    *,
    metric: str = "mean_reward",
    chunk: int = 1 << 26,
    pass_threshold: float = 0.5,
    formats: Iterable[str] = (),
) -> Path:
    """A bucket folder; a prompt starts a new chunk about every so many bytes."""
    folder.mkdir(parents=True)
    fields = parse_fields()
    found = find_metric(metric)
    made = [_bucket(folder, name, lines, ScoreReader(fields), chunk) for name, lines in buckets.items()]
    used = MetricUsed(metric, found.direction, pass_threshold, Settings().k)
    manifest = BucketManifest(
        package="test",
        metric=used,
        mode="quantiles",
        cuts=[],
        buckets=made,
        lines=sum(bucket.lines for bucket in made),
        blank=0,
        rejected={},
        inputs=[Source("r.jsonl", 1, "", "plain", {name: 1}, 1, 0, 0) for name in formats],
        fields=fields,
        ids_hash=joint_hash(bucket.ids_hash for bucket in made),
    )
    (folder / NAME).write_bytes(msgspec.json.encode(manifest))
    return folder


def part_hash(path: Path, start: int, end: int) -> str:
    """The hash of a part of a file."""
    return xxhash.xxh3_128_hexdigest(path.read_bytes()[start:end])


def _bucket(folder: Path, name: str, lines: Iterable[Line], read: ScoreReader, chunk: int) -> Bucket:
    ids = IdsHash()
    starts: list[tuple[int, int]] = []
    written = count = prompts = 0
    path = folder / f"{name}.jsonl"
    encoded = (line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    with path.open("wb") as file:
        for key, group in itertools.groupby(encoded, lambda line: read(line).key):
            if not starts or written - starts[-1][0] >= chunk:
                starts.append((written, prompts))
            for line in group:
                written += file.write(line)
                count += 1
            ids.update([key])
            prompts += 1
    ends = itertools.pairwise([*starts, (written, prompts)])
    parts = [(start, number, part_hash(path, start, end)) for (start, number), (end, _) in ends]
    return Bucket(
        name=name,
        prompts=prompts,
        lines=count,
        files=[BucketFile(path.name, written, count, prompts, parts)],
        ids_hash=str(ids),
        metric_min=0.0,
        metric_max=1.0,
        mean_score=0.5,
        pass_rate=0.5,
        never_solved=0.0,
        always_solved=0.0,
    )
