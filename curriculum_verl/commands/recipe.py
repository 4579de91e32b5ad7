"""Recipes as commands read them: the engine's part for what follows, the trainer's part checked along."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.curriculum.sources import ROOT, read_block
from curriculum_verl.errors import ConfigError
from curriculum_verl.verl_plugin.settings import engine_part, read_settings


def read_recipe(path: str | Path, buckets: Sequence[str] | None = None) -> CurriculumConfig:
    """The engine's config of a recipe; every mistake of its block at once, also in what only verl's trainer reads."""
    block = read_block(path)
    if not isinstance(block, Mapping):
        return load_config(path, buckets)  # which says what is wrong with it
    return check_block(block, buckets, str(path))


def check_block(block: Mapping[str, Any], buckets: Sequence[str] | None, source: str) -> CurriculumConfig:
    """The same of a block that was read already."""
    problems: list[str] = []
    config = None
    try:
        config = load_config({ROOT: engine_part(block)}, buckets)
    except ConfigError as error:
        problems += error.problems
    try:
        read_settings(block)
    except ConfigError as error:
        problems += error.problems
    if config is None or problems:
        raise ConfigError(problems, source)
    return config
