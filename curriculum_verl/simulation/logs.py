"""Logged rollouts as the prompts of a simulation: bucket files as they are, or raw rollouts cut by mean score."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from curriculum_verl.buckets import bucket_numbers, even_cuts
from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.errors import InputError
from curriculum_verl.rollouts import Rollout, read_rollouts, rollout_files
from curriculum_verl.simulation.worlds import TOKENS, LoggedWorld, prompt_pass_rates

CHARACTERS_PER_TOKEN = 4.0  # the usual rule of thumb for English text


@dataclass(frozen=True, slots=True)
class Scored:
    """One prompt's scores, and the mean length of its responses in tokens (None where no text was logged)."""

    scores: list[float]
    tokens: float | None


def read_log(paths: Sequence[str | Path], buckets: Sequence[str], pass_threshold: float) -> LoggedWorld:
    """A world from rollout files; see log_world."""
    return log_world(read_prompts(paths), buckets, pass_threshold)


def read_prompts(paths: Sequence[str | Path]) -> dict[Path, list[Scored]]:
    """The prompts of every rollout file."""
    prompts = {path: _prompts(path) for path in rollout_files(paths)}
    for path, found in prompts.items():
        if not found:
            raise InputError(f"{path}: got no prompts, expected at least one line")
    return prompts


def log_world(prompts: Mapping[Path, list[Scored]], buckets: Sequence[str], pass_threshold: float) -> LoggedWorld:
    """A world from the prompts of rollout files.

    Files named like buckets (easy.jsonl) are those buckets, ordered by mean score whatever the order given; any other
    files are cut into the buckets by mean score, the easiest being the first of `buckets`.
    """
    by_name = {path.stem: found for path, found in prompts.items() if path.stem in buckets}
    if len(by_name) == len(prompts):
        return _world(dict(sorted(by_name.items(), key=lambda item: -_mean_score(item[1]))), pass_threshold)
    everything = [prompt for found in prompts.values() for prompt in found]
    hardness = np.array([-_mean_score([prompt]) for prompt in everything])
    numbers = bucket_numbers(hardness, even_cuts(hardness, len(buckets)))
    cut: dict[str, list[Scored]] = {name: [] for name in buckets}
    for prompt, number in zip(everything, numbers, strict=True):
        cut[buckets[number]].append(prompt)
    return _world(cut, pass_threshold)


def _prompts(path: Path) -> list[Scored]:
    """The prompts of a file; lines with one response each are put together."""
    found: dict[int, Rollout] = {}
    for number, rollout in enumerate(tqdm(read_rollouts(path), desc=path.name, unit=" lines", disable=None)):
        key = rollout.key if rollout.part else -1 - number
        found[key] = found[key].joined(rollout) if key in found else rollout
    return [Scored(rollout.scores, _mean_tokens(rollout.responses)) for rollout in found.values()]


def _mean_tokens(responses: Sequence[str]) -> float | None:
    return math.fsum(map(len, responses)) / len(responses) / CHARACTERS_PER_TOKEN if responses else None


def _mean_score(prompts: Sequence[Scored]) -> float:
    return float(np.mean([score for prompt in prompts for score in prompt.scores]))


def _world(buckets: dict[str, list[Scored]], pass_threshold: float) -> LoggedWorld:
    prompts = [prompt for found in buckets.values() for prompt in found]
    scores = np.array([score for prompt in prompts for score in prompt.scores])
    starts = np.concatenate([[0], np.cumsum([len(prompt.scores) for prompt in prompts])])
    rates = prompt_pass_rates(scores, starts, pass_threshold)
    sizes = {name: len(found) for name, found in buckets.items()}
    index = PromptIndex.build(sizes, difficulty=1.0 - rates, pass_rate=rates)
    lengths = [[prompt.tokens for prompt in found if prompt.tokens is not None] for found in buckets.values()]
    tokens = np.array([np.mean(found) if found else TOKENS for found in lengths])
    return LoggedWorld(index, tokens, scores, starts, pass_threshold)
