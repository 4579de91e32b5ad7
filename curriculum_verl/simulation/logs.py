"""Logged rollouts as the prompts of a simulation: bucket files as they are, or raw rollouts cut by mean score."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from curriculum_verl.buckets import bucket_numbers, even_cuts
from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.errors import InputError
from curriculum_verl.rollouts import Rollout, read_rollouts, rollout_files
from curriculum_verl.rollouts.files import ENDINGS
from curriculum_verl.simulation.worlds import TOKENS, LoggedWorld, prompt_pass_rates

CHARACTERS_PER_TOKEN = 4.0  # the usual rule of thumb for English text


@dataclass(frozen=True, slots=True)
class Scored:
    """One prompt's scores, and the mean length of its responses in tokens (None where no text was logged)."""

    scores: list[float]
    tokens: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """The logged prompts, bucket after bucket, easiest first; `cut` is how they came into buckets."""

    sizes: dict[str, int]
    scores: NDArray[np.float64]
    starts: NDArray[np.int64]
    tokens: tuple[float | None, ...]  # mean of a response, by bucket; None where no text was logged
    cut: bool  # by mean score, else each file was a bucket

    def world(self, pass_threshold: float) -> LoggedWorld:
        """A world that answers as was logged."""
        rates = prompt_pass_rates(self.scores, self.starts, pass_threshold)
        index = PromptIndex.build(self.sizes, difficulty=1.0 - rates, pass_rate=rates)
        tokens = np.array([TOKENS if found is None else found for found in self.tokens])
        return LoggedWorld(index, tokens, self.scores, self.starts, pass_threshold)


def read_log(paths: Sequence[str | Path], buckets: Sequence[str]) -> Log:
    """Read rollout files.

    Files named like buckets (easy.jsonl, easy.parquet) are those buckets, ordered by mean score whatever the order
    given; if none is, all prompts are cut into the buckets by mean score, the easiest being the first of `buckets`.
    """
    files = rollout_files(paths)
    named = [file for file in files if _name(file) in buckets]
    if named and len(named) < len(files):
        others = ", ".join(str(file) for file in files if file not in named)
        raise InputError(
            f"got files named like buckets ({', '.join(map(str, named))}) and others ({others}), expected all of them "
            f"named like the buckets {', '.join(buckets)}, or none. Leave the others out of --rollouts; if they are "
            "buckets of the data too, name all buckets, easiest first, with --buckets"
        )
    found: dict[str, list[Scored]] = {}
    for file in files:
        found.setdefault(_name(file) if named else "", []).extend(_prompts(file))
    if named:
        return _log(dict(sorted(found.items(), key=lambda item: -_mean_score(item[1]))), cut=False)
    return _log(_cut(found[""], buckets), cut=True)


def _name(file: Path) -> str:
    """A file's name without its ending."""
    return file.name.removesuffix(next((ending for ending in ENDINGS if file.name.endswith(ending)), file.suffix))


def _prompts(path: Path) -> list[Scored]:
    """The prompts of a file; lines with one response each are put together."""
    found: dict[int, Rollout] = {}
    for number, rollout in enumerate(tqdm(read_rollouts(path), desc=path.name, unit=" lines", disable=None)):
        key = rollout.key if rollout.part else -1 - number
        found[key] = found[key].joined(rollout) if key in found else rollout
    if not found:
        raise InputError(f"{path}: got no prompts, expected at least one line")
    return [Scored(rollout.scores, _mean_tokens(rollout.responses)) for rollout in found.values()]


def _mean_tokens(responses: Sequence[str]) -> float | None:
    return math.fsum(map(len, responses)) / len(responses) / CHARACTERS_PER_TOKEN if responses else None


def _mean_score(prompts: Sequence[Scored]) -> float:
    return float(np.mean([score for prompt in prompts for score in prompt.scores]))


def _cut(prompts: Sequence[Scored], buckets: Sequence[str]) -> dict[str, list[Scored]]:
    hardness = np.array([-_mean_score([prompt]) for prompt in prompts])
    if (distinct := len(np.unique(hardness))) < len(buckets):
        raise InputError(
            f"got prompts of {distinct} different mean scores, expected at least {len(buckets)} to cut them into the "
            f"buckets {', '.join(buckets)}; give files named like the buckets, or more rollouts"
        )
    cut: dict[str, list[Scored]] = {name: [] for name in buckets}
    for prompt, number in zip(prompts, bucket_numbers(hardness, even_cuts(hardness, len(buckets))), strict=True):
        cut[buckets[number]].append(prompt)
    return cut


def _log(buckets: dict[str, list[Scored]], *, cut: bool) -> Log:
    prompts = [prompt for found in buckets.values() for prompt in found]
    scores = np.array([score for prompt in prompts for score in prompt.scores])
    starts = np.concatenate([[0], np.cumsum([len(prompt.scores) for prompt in prompts])])
    sizes = {name: len(found) for name, found in buckets.items()}
    lengths = [[prompt.tokens for prompt in found if prompt.tokens is not None] for found in buckets.values()]
    return Log(sizes, scores, starts, tuple(float(np.mean(found)) if found else None for found in lengths), cut)
