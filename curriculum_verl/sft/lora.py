"""LoRA through PEFT: ranks by module from a lora_rank_config.json, checked against the model's own modules."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curriculum_verl.errors import ConfigError
from curriculum_verl.schema import Count, Name, Reader
from curriculum_verl.sft.config import LoraConfig

ALL = "all-linear"


@dataclass(frozen=True, slots=True)
class RankFile:
    """What a lora_rank_config.json may say: patterns are ends of module names, or regular expressions for them.

    `target_modules` are ends of names alone, as PEFT reads a list of them.
    """

    r: Count | None = None
    lora_alpha: Count | None = None
    rank_pattern: dict[str, Count] = field(default_factory=dict)
    alpha_pattern: dict[str, Count] = field(default_factory=dict)
    target_modules: tuple[Name, ...] = ()


def read_ranks(path: str | None) -> RankFile:
    """The file, with all its mistakes at once; an empty one when there is none."""
    if path is None:
        return RankFile()
    try:
        raw = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ConfigError([f"cannot be read: {error}"], path) from error
    reader = Reader()
    ranks: RankFile = reader.construct(RankFile, raw, "ranks")
    if reader.problems:
        raise ConfigError(reader.problems, path)
    return ranks


def add_adapters(model: Any, config: LoraConfig) -> Any:
    """The model with adapters, which alone are trained."""
    import peft

    ranks = read_ranks(config.ranks)
    rank = ranks.r or config.rank
    targets = list(ranks.target_modules or config.target)
    linear = linear_modules(model)
    problems = unknown_modules(targets, linear, "target_modules", ends_with)
    targeted = [name for name in linear if not targets or any(ends_with(target, name) for target in targets)]
    for what in ("rank_pattern", "alpha_pattern"):
        problems += unknown_modules(getattr(ranks, what), targeted or linear, what, matches)
    if problems:
        raise ConfigError(problems, config.ranks or "lora")
    adapters = peft.LoraConfig(
        r=rank,
        lora_alpha=ranks.lora_alpha or config.alpha or rank,  # a scale of 1 whatever the rank
        lora_dropout=config.dropout,
        target_modules=targets or ALL,
        rank_pattern=dict(ranks.rank_pattern),
        alpha_pattern=dict(ranks.alpha_pattern),
        task_type="CAUSAL_LM",
    )
    return peft.get_peft_model(model, adapters)


def linear_modules(model: Any) -> list[str]:
    """The names of the modules that PEFT's all-linear takes: every linear one but the head."""
    import torch

    head = model.get_output_embeddings()
    return [
        name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear) and module is not head
    ]


def ends_with(target: str, name: str) -> bool:
    """Whether one of a list of targets means a module, as PEFT reads it: never as a regular expression."""
    return name == target or name.endswith(f".{target}")


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern for ranks means a module, as PEFT reads it."""
    return re.match(rf"(.*\.)?({pattern})$", name) is not None


def unknown_modules(
    patterns: Iterable[str], names: Sequence[str], where: str, means: Callable[[str, str], bool]
) -> list[str]:
    """A problem for every pattern that means none of the modules, with the nearest of them."""
    ends = sorted({name.rsplit(".", 1)[-1] for name in names})
    problems = []
    for pattern in patterns:
        try:
            found = any(means(pattern, name) for name in names)
        except re.error as error:
            problems.append(f"{where}.{pattern}: expected the end of a module's name or a regular expression: {error}")
            continue
        if not found:
            near = difflib.get_close_matches(pattern, [*ends, *names], n=3, cutoff=0.6)
            hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(ends)}"
            problems.append(f"{where}.{pattern}: no module that gets an adapter has that name; {hint}")
    return problems
