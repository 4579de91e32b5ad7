"""Validation by bucket: what verl reports for every data source, and the one score a bucket that decides."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from curriculum_verl.curriculum.tracker import Rate
from curriculum_verl.verl_plugin.feedback import SUCCESS

BUCKET = "bucket"  # the extra value in which the reward manager says where a prompt belongs


def by_bucket(sources: Sequence[str], infos: Mapping[str, Sequence[Any]]) -> list[str]:
    """The data sources with the bucket of each sample after them."""
    return [f"{source}/{bucket or 'unknown'}" for source, bucket in zip(sources, infos[BUCKET], strict=True)]


def bucket_scores(infos: Mapping[str, Sequence[Any]], prompts: Sequence[str], pass_threshold: float) -> dict[str, Rate]:
    """The pass rate of every bucket, worth as many trials as it has prompts: responses to one prompt are alike."""
    successes = infos.get(SUCCESS) or [reward >= pass_threshold for reward in infos["reward"]]
    passed: dict[str, list[float]] = defaultdict(list)
    seen: dict[str, set[str]] = defaultdict(set)
    for bucket, prompt, success in zip(infos[BUCKET], prompts, successes, strict=True):
        if bucket is not None and success is not None:
            passed[bucket].append(float(success))
            seen[bucket].add(prompt)
    return {bucket: Rate(sum(found) / len(found), len(seen[bucket])) for bucket, found in passed.items()}
